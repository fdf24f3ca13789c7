// Drives the AWS SDK for JavaScript v3: does the steps it reads from standard input one after another, and prints
// what each one answered. `MODULES` is the folder whose node_modules is used. What must hold is said by test_js_sdk.py.

import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.env.MODULES}/`);
const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const client = new s3.S3Client({
  endpoint: process.env.ENDPOINT,
  region: process.env.AWS_REGION,
  forcePathStyle: true,
  maxAttempts: 2,
});

// A stream does not tell its length, as one that comes from a network does not.
async function* pieces(file) {
  for await (const piece of createReadStream(file, { highWaterMark: 100_003 })) yield piece;
}

const body = ({ file, stream }) => {
  if (!file) return {};
  if (stream === "unknown") return { Body: Readable.from(pieces(file)) };
  return { Body: stream ? createReadStream(file) : readFileSync(file) };
};

const steps = {
  // One command; a body comes from `file`, the answer's goes to `to`.
  async call(step) {
    const answer = await client.send(new s3[`${step.command}Command`]({ ...step.input, ...body(step) }));
    if (answer.Body && step.to) await pipeline(answer.Body, createWriteStream(step.to));
    delete answer.Body;
    return answer;
  },

  // Every page of a listing.
  async list(step) {
    const pages = [];
    for await (const page of s3.paginateListObjectsV2({ client }, step.input)) {
      const { Contents = [], CommonPrefixes = [] } = page;
      pages.push({ objects: Contents, prefixes: CommonPrefixes.map(({ Prefix }) => Prefix) });
    }
    return pages;
  },

  // lib-storage: as many parts as it takes, several at once.
  async upload(step) {
    const { partSize, queueSize, input } = step;
    let progress = 0;
    const upload = new Upload({ client, params: { ...input, ...body(step) }, partSize, queueSize });
    upload.on("httpUploadProgress", ({ loaded }) => (progress = loaded));
    return { ...(await upload.done()), progress };
  },

  // The same, given up half way.
  async abort(step) {
    const upload = new Upload({ client, params: { ...step.input, ...body(step) }, queueSize: 1 });
    upload.on("httpUploadProgress", () => upload.abort());
    return upload.done();
  },

  async presign({ command, input }) {
    return getSignedUrl(client, new s3[`${command}Command`](input), { expiresIn: 300 });
  },
};

const results = [];
for (const step of JSON.parse(await text(process.stdin))) {
  try {
    results.push(await steps[step.do](step));
  } catch (fault) {
    results.push({ error: fault.name, status: fault.$metadata?.httpStatusCode, message: fault.message });
  }
}
console.log(JSON.stringify(results));
