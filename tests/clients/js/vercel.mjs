// Turns by the Vercel AI SDK, printed as one JSON object. MODULES is the folder above node_modules; BASE_URL and
// API_KEY say whom to talk to; API is "compatible" (chat completions) or "responses".
import { createRequire } from "node:module";

const load = createRequire(`${process.env.MODULES}/`);
const { generateObject, generateText, stepCountIs, streamText, tool } = load("ai");
const { createOpenAICompatible } = load("@ai-sdk/openai-compatible");
const { createOpenAI } = load("@ai-sdk/openai");
const { z } = load("zod");

const { BASE_URL: baseURL, API_KEY: apiKey, API: api } = process.env;
const compatible = createOpenAICompatible({
  name: "writingmate",
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const provider = api === "compatible" ? compatible : createOpenAI({ baseURL, apiKey });
const model = provider("google/gemini-2.5-flash");
const tools = {
  weather: tool({
    description: "Look up the weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};
const prompt = "How is the weather of Paris?";
const common = { model, maxRetries: 0 };
const onError = ({ error }) => {
  throw error;
};
const tokens = ({ inputTokens, outputTokens }) => [inputTokens, outputTokens];
const looked = (steps) => steps.map((step) => step.toolResults.map(({ input, output }) => [input.city, output]));

const seen = {};
const text = await generateText({ ...common, system: "Be concise.", prompt: "Reply with exactly: HELLO" });
seen.text = [text.text, text.finishReason, tokens(text.usage)];
const stream = streamText({ ...common, prompt: "Reply with exactly: one two three", onError });
const pieces = [];
for await (const piece of stream.textStream) pieces.push(piece);
seen.stream = [pieces, await stream.finishReason, tokens(await stream.usage)];
const loop = await generateText({ ...common, prompt, tools, stopWhen: stepCountIs(3) });
seen.tools = [loop.text, looked(loop.steps)];
const streamed = streamText({ ...common, prompt, tools, stopWhen: stepCountIs(3), onError });
await streamed.consumeStream();
seen.tools_streamed = [await streamed.text, looked(await streamed.steps)];
const schema = z.object({ name: z.string(), inhabitants: z.number().int() });
seen.object = (await generateObject({ ...common, schema, prompt: "Where?" })).object;
const said = [{ role: "user", content: prompt }, ...loop.response.messages];
const messages = [...said, { role: "user", content: "Reply with exactly: AGAIN" }];
seen.again = (await generateText({ ...common, messages })).text; // over responses it only names what it was told
console.log(JSON.stringify(seen));
