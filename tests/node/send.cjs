// Sends HL7 v2 messages with node-hl7-client, one after the other, and prints each answer as JSON.
// Standard input: {"port": 2575, "messages": ["MSH|...\rPID|...", ...]}
"use strict";

const { Client, Message } = require("node-hl7-client");

function read(stream) {
  return new Promise((resolve) => {
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => (text += chunk));
    stream.on("end", () => resolve(JSON.parse(text)));
  });
}

function said(answer) {
  const message = answer.getMessage();
  const field = (name) => message.get(name).toString();
  return {
    code: field("MSA.1"),
    control: field("MSA.2"),
    type: field("MSH.9"),
    sender: field("MSH.3"),
    receiver: field("MSH.5"),
    text: field("MSA.3"),
  };
}

async function main() {
  const { port, messages } = await read(process.stdin);
  const client = new Client({ host: "127.0.0.1" });
  let heard = null;
  const line = client.createConnection({ port, waitAck: true }, async (answer) => heard(said(answer)));
  for (const text of messages) {
    const answer = new Promise((resolve) => (heard = resolve));
    await line.sendMessage(new Message({ text }));
    process.stdout.write(`${JSON.stringify(await answer)}\n`);
  }
  await line.close();
}

main().then(() => process.stdout.write("", () => process.exit(0))).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
