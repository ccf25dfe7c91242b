import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";

import { crc32, decodeGrey, encodeGrey, PngError } from "../static/js/editor/png.js";

const bytes = async (blob) => new Uint8Array(await blob.arrayBuffer());

function noise(width, height) {
  let state = 7;
  return Uint8Array.from({ length: width * height }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state >> 16;
  });
}

/** A PNG made by hand, with one filter for all rows, to read what this module itself would never write. */
function png(width, height, grey, filter, header = [8, 0, 0, 0, 0]) {
  const raw = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y += 1) {
    raw[y * (width + 1)] = filter;
    for (let x = 0; x < width; x += 1) {
      const left = x ? grey[y * width + x - 1] : 0;
      const up = y ? grey[(y - 1) * width + x] : 0;
      const corner = x && y ? grey[(y - 1) * width + x - 1] : 0;
      const p = left + up - corner;
      const paeth = [left, up, corner].reduce((best, value) => (Math.abs(p - value) < Math.abs(p - best) ? value : best), left);
      const guess = [0, left, up, (left + up) >> 1, paeth][filter];
      raw[y * (width + 1) + 1 + x] = grey[y * width + x] - guess;
    }
  }
  const chunk = (name, body) => {
    const out = Buffer.alloc(body.length + 12);
    out.writeUInt32BE(body.length, 0);
    out.write(name, 4, "latin1");
    Buffer.from(body).copy(out, 8);
    out.writeUInt32BE(crc32([out.subarray(4, 8 + body.length)]), 8 + body.length);
    return out;
  };
  const size = Buffer.alloc(8);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  const data = deflateSync(raw);
  const half = data.length >> 1;
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
      chunk("IHDR", Buffer.concat([size, Buffer.from(header)])),
      chunk("IDAT", data.subarray(0, half)),
      chunk("IDAT", data.subarray(half)),
      chunk("IEND", Buffer.alloc(0)),
    ]),
  );
}

test("the checksum is the one of the PNG specification", () => {
  assert.equal(crc32([new TextEncoder().encode("IEND")]), 0xae426082);
  assert.equal(crc32([new TextEncoder().encode("IE"), new TextEncoder().encode("ND")]), 0xae426082);
});

test("the file says what it is and holds every row with its filter", async () => {
  const file = await bytes(await encodeGrey(noise(37, 130), 37, 130));
  const view = new DataView(file.buffer);
  assert.deepEqual([...file.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  assert.equal(view.getUint32(16), 37);
  assert.equal(view.getUint32(20), 130);
  assert.deepEqual([...file.subarray(24, 29)], [8, 0, 0, 0, 0]);
  const length = view.getUint32(33);
  assert.equal(inflateSync(file.subarray(41, 41 + length)).length, 130 * 38);
  assert.equal(view.getUint32(41 + length), crc32([file.subarray(37, 41 + length)]));
});

test("what was written is read back exactly", async () => {
  for (const [width, height] of [[1, 1], [1, 90], [300, 1], [129, 64], [64, 129]]) {
    const grey = noise(width, height);
    const back = await decodeGrey(await bytes(await encodeGrey(grey, width, height)));
    assert.deepEqual(back, { grey, width, height });
  }
});

test("every filter and several data chunks are read", async () => {
  const grey = noise(41, 29);
  for (const filter of [0, 1, 2, 3, 4]) {
    const back = await decodeGrey(png(41, 29, grey, filter));
    assert.deepEqual(back.grey, grey, `filter ${filter}`);
  }
});

test("a painted mask of 12 megapixels becomes a small file", async () => {
  const [width, height] = [4000, 3000];
  const grey = new Uint8Array(width * height);
  for (let y = 900; y < 1800; y += 1) grey.fill(255, y * width + 700 + (y % 97), y * width + 2600);
  const file = await encodeGrey(grey, width, height);
  assert.ok(file.size < 60_000, `${file.size} bytes`);
});

test("what is not a plain grey PNG is refused with a sentence", async () => {
  const good = png(8, 8, noise(8, 8), 0);
  await assert.rejects(decodeGrey(new TextEncoder().encode("GIF89a, or so it says")), PngError);
  await assert.rejects(decodeGrey(png(8, 8, noise(8, 8), 0, [16, 0, 0, 0, 0])), /8-bit grey/);
  await assert.rejects(decodeGrey(png(8, 8, noise(8, 8), 0, [8, 2, 0, 0, 0])), /8-bit grey/);
  await assert.rejects(decodeGrey(good.subarray(0, 40)), PngError);
});
