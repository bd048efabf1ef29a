/**
 * Follows each connection of a track through the processes: where it is (spans), and how it gets from one to the next
 * (hops). A connection is at one owner at each moment; while it is in flight the primary keeps a copy.
 *
 *   span { lane, t0, t1, kind: 'client' | 'queue' | 'copy' | 'worker' }     hop { from, t0, to, t1, broken, isOpen }
 */
const COLOURS = 10;

/** Makes `track.connections` anew from its events. */
export function connectionsOf(track) {
  const found = new Map();
  for (const event of track.events) {
    if (event.kind !== 'connection' || typeof event.connection !== 'string') continue;
    let connection = found.get(event.connection);
    if (!connection) {
      connection = { id: event.connection, track, colour: found.size % COLOURS, steps: [], spans: [], hops: [], open: event.t, closed: null, by: null, hangsFrom: null };
      found.set(event.connection, connection);
    }
    connection.steps.push(event);
    track.connectionOf.set(event.index, connection);
  }
  track.connections = found;
  const sent = handOffs(track);
  for (const connection of found.values()) follow(track, connection, inOrder(connection, sent));
}

/** When each connection was sent to a worker: the primary notes 'handed off' after the message is written, and the worker may be quicker. */
function handOffs(track) {
  const sent = new Map();
  for (const event of track.events) {
    if (event.kind !== 'message' || event.way !== 'sent' || typeof event.connection !== 'string') continue;
    if (event.act !== 'newconn' && event.carries?.act !== 'newconn') continue;
    const key = `${event.connection} ${event.to}`;
    const times = sent.get(key);
    if (times) times.push(event.t); else sent.set(key, [event.t]);
  }
  return sent;
}

/** The steps of a connection in the order in which they happened. */
function inOrder({ id, steps }, sent) {
  return steps.map((step) => {
    const times = step.event === 'handed off' ? sent.get(`${id} ${step.to}`) ?? [] : [];
    return { event: step.event, name: step.name, to: step.to, by: step.by, t: times.findLast((t) => t <= step.t) ?? step.t };
  }).sort((a, b) => a.t - b.t);
}

function follow(track, connection, steps) {
  const { spans, hops } = connection;
  let primary = null; // the span in the primary: 'queue', or 'copy' while it is in flight
  let worker = null; // the span in a worker
  let flight = null; // { from, to, t }
  let back = null; // { from, t }: a worker has given it back, and the primary has not got it yet
  const begin = (lane, t, kind) => {
    const span = { lane, t0: t, t1: null, kind, connection };
    spans.push(span);
    return span;
  };
  const end = (span, t) => {
    if (span !== null && span.t1 === null) span.t1 = t;
    return null;
  };
  for (const { event, t, name, to, by } of steps) {
    switch (event) {
      case 'queued':
        primary = end(primary, t);
        primary = begin(name, t, 'queue');
        if (back !== null) hops.push({ from: back.from, t0: back.t, to: name, t1: t, broken: false });
        back = null;
        break;
      case 'handed off':
        end(primary, t);
        primary = begin(name, t, 'copy');
        flight = { from: name, to: typeof to === 'string' ? to : '?', t };
        break;
      case 'delivered':
      case 'opened':
        if (worker !== null && worker.lane === name) break;
        if (flight !== null) hops.push({ from: flight.from, t0: flight.t, to: name, t1: t, broken: false });
        flight = null;
        end(worker, t);
        worker = begin(name, t, 'worker');
        break;
      case 'acknowledged':
        primary = end(primary, t);
        // The worker has it; where Node's own cluster runs, its socket may be seen only later.
        if (flight !== null) flight.isOver = true;
        break;
      case 'returned':
        if (worker === null || worker.lane !== name) break;
        worker = end(worker, t);
        back = { from: name, t };
        break;
      case 'rejected': case 'unsent': case 'reclaimed':
        if (flight !== null) hops.push({ from: flight.from, t0: flight.t, to: flight.to, t1: deathOf(track, flight.to, flight.t, t), broken: true });
        if (worker !== null) worker = end(worker, deathOf(track, worker.lane, worker.t0, t));
        flight = null;
        end(primary, t);
        primary = begin(name, t, 'queue');
        break;
      case 'dropped':
        worker = end(worker, t);
        break;
      case 'closed':
        if (worker !== null && worker.lane === name) worker = end(worker, t);
        else primary = end(primary, t);
        if (worker === null && primary === null || by !== 'primary') {
          connection.closed = t;
          connection.by = typeof by === 'string' ? by : null;
        }
        break;
      default:
        break;
    }
  }
  const last = track.end;
  if (flight?.isOver === true) flight = null;
  const ended = track.processes.get(flight?.to ?? worker?.lane)?.end ?? null;
  // A worker that has not ended may still take it.
  if (flight !== null) hops.push({ from: flight.from, t0: flight.t, to: flight.to, t1: deathOf(track, flight.to, flight.t, last), broken: ended !== null, isOpen: ended === null });
  // In flight to a worker that has ended, and nobody took it back: until it is closed, its client waits for nobody.
  connection.hangsFrom = ended !== null && (flight !== null || connection.closed === null) && ended < (connection.closed ?? last) ? ended : null;
  if (connection.closed === null) {
    if (worker !== null && ended !== null) end(worker, ended);
  } else {
    end(worker, connection.closed);
    end(primary, connection.closed);
  }
}

/** When a process ended, if between two times; otherwise the later one. */
function deathOf(track, name, from, to) {
  const ended = track.processes.get(name)?.end ?? null;
  return ended !== null && ended >= from && ended <= to ? ended : to;
}

/** Where a connection is at a time: `place` is a key of the texts, `worker` the name of the worker in it. */
export function placeOf(connection, t, before = false) {
  const isPast = (time) => (before ? time < t : time <= t);
  if (!isPast(connection.open)) return { place: 'place.none' };
  if (connection.closed !== null && isPast(connection.closed)) return { place: 'place.closed' };
  let place = 'place.none';
  let worker;
  let hasCopy = false;
  for (const { event, role, name, to, t: at } of connection.steps) {
    if (!isPast(at)) break;
    if (role === 'worker' && event !== 'let go') worker = name;
    else if (event === 'handed off') worker = to;
    if (role === 'primary') hasCopy = event === 'handed off';
    if (event === 'queued' || event === 'reclaimed' || event === 'rejected' || event === 'unsent') place = 'place.queued';
    else if (event === 'returned') place = role === 'worker' ? 'place.returned' : 'place.queued';
    else if (event === 'handed off') place = 'place.inFlight';
    else if (event === 'opened' && role === 'primary') place = 'place.primary';
    else if (event === 'delivered' || event === 'opened' || event === 'acknowledged') place = hasCopy ? 'place.both' : 'place.worker';
    else if (event === 'closed') place = 'place.closed';
  }
  return { place, worker };
}
