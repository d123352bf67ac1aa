// The peer on node: a request a line, as the peer on the JVM takes them. feelin has no call that
// parses first and evaluates later, so its time is that of its one public call.
import { createInterface } from 'node:readline';
import { evaluate } from 'feelin';

const BATCH = 20;
let variables;
let kept;

function microseconds() {
  const used = process.cpuUsage();
  return used.user + used.system;
}

function measure(seconds, expression) {
  const result = evaluate(expression, variables).value;
  const start = microseconds();
  let count = 0;
  let now = start;
  do {
    for (let turn = 0; turn < BATCH; turn++) kept = evaluate(expression, variables);
    count += BATCH;
    now = microseconds();
  } while (now - start < seconds * 1e6);
  return `${(now - start) / count}\t${JSON.stringify(result)}`;
}

for await (const line of createInterface({ input: process.stdin })) {
  if (variables === undefined) {
    variables = JSON.parse(line);
  } else {
    const at = line.indexOf('\t');
    console.log(measure(Number(line.slice(0, at)), line.slice(at + 1)));
  }
}
if (kept === undefined) throw new Error('nothing was measured');
