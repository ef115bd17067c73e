// Drives the gateway with OpenAI's own npm SDK and prints what it saw, case by case, as one JSON object.
// MODULES is the folder above node_modules; BASE_URL, API_KEY, CHAT_MODEL, TEXT_MODEL and FAULTS
// ({name: model}) say whom to talk to.
import { createRequire } from "node:module";

const load = createRequire(`${process.env.MODULES}/`);
const { OpenAI } = load("openai");
const { zodResponseFormat, zodTextFormat } = load("openai/helpers/zod");
const { z } = load("zod");

const { BASE_URL: baseURL, API_KEY: apiKey, CHAT_MODEL: model, TEXT_MODEL: textModel } = process.env;
const faults = JSON.parse(process.env.FAULTS);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

const ask = (content) => ({ model, messages: [{ role: "user", content }] });
const tool = (name) => ({
  type: "function",
  function: {
    name,
    description: `Look up the ${name}`,
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
});
const tools = [tool("weather"), tool("population")];

async function collected(stream, text) {
  const seen = { text: "", finish: null, usage: null, chunks: 0 };
  for await (const chunk of stream) {
    seen.chunks += 1;
    seen.text += chunk.choices[0] ? (text(chunk.choices[0]) ?? "") : "";
    seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
    seen.usage = chunk.usage?.total_tokens ?? seen.usage;
  }
  return { ...seen, chunks: seen.chunks > 1 };
}

const cases = {
  async models() {
    const ids = [];
    for await (const each of client.models.list()) ids.push(each.id);
    const one = await client.models.retrieve(model);
    return { listed: ids.includes(model), id: one.id, object: one.object };
  },
  async chat() {
    const reply = await client.chat.completions.create(ask("Reply with exactly: HELLO FROM NODE"));
    return {
      text: reply.choices[0].message.content,
      finish: reply.choices[0].finish_reason,
      total: reply.usage.prompt_tokens + reply.usage.completion_tokens === reply.usage.total_tokens,
      request: typeof reply._request_id === "string" && reply._request_id.length > 0,
    };
  },
  async chat_stream() {
    const stream = await client.chat.completions.create({ ...ask("Reply with exactly: one two three"), stream: true });
    return collected(stream, (choice) => choice.delta.content);
  },
  async chat_stream_usage() {
    const stream = await client.chat.completions.create({
      ...ask("Reply with exactly: one two three"),
      stream: true,
      stream_options: { include_usage: true },
    });
    const seen = await collected(stream, (choice) => choice.delta.content);
    return { ...seen, usage: seen.usage > 0 };
  },
  async chat_stream_helper() {
    return { text: await client.chat.completions.stream(ask("Reply with exactly: folded up")).finalContent() };
  },
  async chat_abort() {
    const stream = await client.chat.completions.create({ ...ask("Reply with exactly: one two three"), stream: true });
    for await (const chunk of stream) if (chunk) break;
    return { aborted: stream.controller.signal.aborted };
  },
  async tools() {
    const reply = await client.chat.completions.create({ ...ask("weather and population of Paris"), tools });
    return {
      finish: reply.choices[0].finish_reason,
      content: reply.choices[0].message.content,
      calls: reply.choices[0].message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    };
  },
  async tools_stream() {
    const stream = client.chat.completions.stream({ ...ask("weather and population of Paris"), tools });
    const message = await stream.finalMessage();
    return { calls: message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]) };
  },
  async run_tools() {
    const weather = { ...tool("weather").function, function: () => "sunny", parse: JSON.parse };
    const runner = client.chat.completions.runTools({
      ...ask("weather of Paris"),
      tools: [{ type: "function", function: weather }],
    });
    return { text: await runner.finalContent(), roles: runner.messages.map((message) => message.role) };
  },
  async structured() {
    const Place = z.object({ name: z.string(), inhabitants: z.number().int() });
    const reply = await client.chat.completions.parse({
      ...ask("Where?"),
      response_format: zodResponseFormat(Place, "place"),
    });
    return reply.choices[0].message.parsed;
  },
  async completions() {
    const reply = await client.completions.create({ model: textModel, prompt: "Reply with exactly: HELLO" });
    return { text: reply.choices[0].text, object: reply.object, finish: reply.choices[0].finish_reason };
  },
  async completions_stream() {
    const stream = await client.completions.create({ model: textModel, prompt: "Reply with exactly: a b c", stream: true });
    return collected(stream, (choice) => choice.text);
  },
  async response() {
    const reply = await client.responses.create({ model, input: "Reply with exactly: HELLO" });
    const { input_tokens, output_tokens, total_tokens } = reply.usage;
    return { text: reply.output_text, status: reply.status, total: input_tokens + output_tokens === total_tokens };
  },
  async response_stream() {
    const stream = await client.responses.create({ model, input: "Reply with exactly: one two three", stream: true });
    const events = [];
    for await (const event of stream) events.push(event);
    return {
      text: events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join(""),
      last: events.at(-1).type,
      gapless: events.every((event, at) => event.sequence_number === at),
    };
  },
  async response_tools() {
    const input = [{ role: "user", content: "weather and population of Paris" }];
    const flat = tools.map((each) => ({ type: "function", strict: false, ...each.function }));
    const first = await client.responses.stream({ model, input, tools: flat }).finalResponse();
    const calls = first.output.filter((item) => item.type === "function_call");
    const outputs = calls.map(({ call_id, name }) => ({ type: "function_call_output", call_id, output: name }));
    const second = await client.responses.create({ model, input: [...input, ...first.output, ...outputs], tools: flat });
    return { calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]), text: second.output_text };
  },
  async response_structured() {
    const Place = z.object({ name: z.string(), inhabitants: z.number().int() });
    const text = { format: zodTextFormat(Place, "place") };
    return (await client.responses.parse({ model, input: "Where?", text })).output_parsed;
  },
  async response_kept() {
    const first = await client.responses.create({ model, input: "Reply with exactly: ONE" });
    const stream = client.responses.stream({ model, input: "Reply with exactly: TWO", previous_response_id: first.id });
    const second = await stream.finalResponse();
    const listed = [];
    for await (const item of client.responses.inputItems.list(second.id, { limit: 1, order: "asc" })) listed.push(item.role);
    const same = (await client.responses.retrieve(second.id)).output_text === second.output_text;
    await client.responses.delete(first.id);
    return { texts: [first.output_text, second.output_text], listed, same };
  },
  async response_not_kept() {
    await client.responses.create({ model, input: "hello", previous_response_id: "resp_1" });
  },
  async no_such_key() {
    await new OpenAI({ baseURL, apiKey: "wm_v2.a.b.c", maxRetries: 0 }).models.list();
  },
  async no_such_workspace() {
    const headers = { "x-writingmate-workspace": "ws_of_somebody_else" };
    await client.chat.completions.create(ask("hello"), { headers });
  },
  async no_such_model() {
    await client.chat.completions.create({ ...ask("hello"), model: "nobody/nothing" });
  },
  async no_such_model_to_see() {
    await client.models.retrieve("nobody/nothing");
  },
  async wrong_type() {
    await client.chat.completions.create({ ...ask("hello"), temperature: "warm" });
  },
  async missing() {
    await client.chat.completions.create({ model });
  },
};
for (const [name, broken] of Object.entries(faults)) {
  cases[name] = () => client.chat.completions.create({ ...ask("hello"), model: broken });
}

const seen = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    seen[name] = (await run()) ?? null;
  } catch (error) {
    const { status, type, code, param, requestID } = error;
    seen[name] = { error: error.constructor.name, status, type, code, param, request: Boolean(requestID) };
    if (!status) seen[name].message = String(error.stack);
  }
}
console.log(JSON.stringify(seen));
