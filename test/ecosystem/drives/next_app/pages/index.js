import { createElement } from 'react';

export default function Page() {
  return createElement('p', null, 'hello from next');
}
export const getServerSideProps = () => ({ props: {} });
