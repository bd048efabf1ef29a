export default function handler(request, response) {
  response.setHeader('connection', 'close');
  response.send(String(process.pid));
}
