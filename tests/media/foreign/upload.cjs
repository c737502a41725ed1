// Uploads one file with tus-js-client: upload.cjs ENDPOINT TOKEN FILE HASH TYPE CHUNK_BYTES
const { readFileSync } = require("node:fs");
const tus = require("tus-js-client");

const [endpoint, token, path, hash, filetype, chunk] = process.argv.slice(2);
const upload = new tus.Upload(readFileSync(path), {
  endpoint,
  chunkSize: Number(chunk),
  retryDelays: new Array(1000).fill(50),
  headers: { Authorization: `Bearer ${token}` },
  metadata: { hash, filetype },
  onShouldRetry: () => true,
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => process.exit(0),
});
upload.start();
