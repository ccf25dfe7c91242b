/**
 * Greyscale PNG files, written and read without a canvas: a canvas would need four bytes a pixel and would write RGBA.
 *
 * Follows the PNG specification (W3C, third edition): IHDR, one IDAT, IEND; filter “up” for every row, because a mask's
 * rows mostly repeat the row above, which leaves zeros for deflate.
 */

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const ROWS_AT_ONCE = 64;
const SLICE_MS = 6;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** A file that is no greyscale PNG this module can read. */
export class PngError extends Error {}

/**
 * @param {Uint8Array[]} parts
 * @returns {number} CRC-32 over all parts
 */
export function crc32(parts) {
  let crc = 0xffffffff;
  for (const part of parts) {
    for (const byte of part) crc = /** @type {number} */ (CRC_TABLE[(crc ^ byte) & 255]) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * @param {Uint8Array} grey one byte a pixel, row by row
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Blob>} an 8-bit greyscale PNG
 */
export async function encodeGrey(grey, width, height) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 0, 0, 0, 0], 8);
  const pixels = await deflate(filteredRows(grey, width, height));
  const parts = [SIGNATURE, ...chunk("IHDR", header), ...chunk("IDAT", pixels), ...chunk("IEND", new Uint8Array(0))];
  return new Blob(/** @type {BlobPart[]} */ (parts), { type: "image/png" });
}

/**
 * @param {Uint8Array} file
 * @returns {Promise<{grey: Uint8Array, width: number, height: number}>}
 * @throws {PngError} for anything but an 8-bit greyscale PNG without interlacing
 */
export async function decodeGrey(file) {
  if (!SIGNATURE.every((byte, i) => file[i] === byte)) throw new PngError("This is not a PNG file.");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let width = 0;
  let height = 0;
  /** @type {Uint8Array[]} */
  const data = [];
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const body = file.subarray(at + 8, at + 8 + length);
    if (body.length < length) break;
    if (type === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      if (body[8] !== 8 || body[9] !== 0 || body[12] !== 0) throw new PngError("This PNG is not plain 8-bit grey.");
    }
    if (type === "IDAT") data.push(body);
    at += 12 + length;
  }
  if (width === 0 || height === 0 || data.length === 0) throw new PngError("This PNG file is broken.");
  const grey = new Uint8Array(width * height);
  await inflateRows(data, width, height, grey);
  return { grey, width, height };
}

/**
 * @param {string} type
 * @param {Uint8Array} body
 * @returns {Uint8Array[]}
 */
function chunk(type, body) {
  const name = Uint8Array.from(type, (letter) => letter.charCodeAt(0));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, body.length);
  const check = new Uint8Array(4);
  new DataView(check.buffer).setUint32(0, crc32([name, body]));
  return [length, name, body, check];
}

/**
 * @param {Uint8Array} grey
 * @param {number} width
 * @param {number} height
 * @returns {Generator<Uint8Array>} bands of rows, each row with its filter byte before it
 */
function* filteredRows(grey, width, height) {
  for (let top = 0; top < height; top += ROWS_AT_ONCE) {
    const rows = Math.min(ROWS_AT_ONCE, height - top);
    const band = new Uint8Array(rows * (width + 1));
    for (let r = 0; r < rows; r += 1) {
      const from = (top + r) * width;
      const to = r * (width + 1);
      band[to] = 2;
      if (top + r === 0) {
        band.set(grey.subarray(0, width), 1);
        continue;
      }
      for (let x = 0; x < width; x += 1) {
        band[to + 1 + x] = /** @type {number} */ (grey[from + x]) - /** @type {number} */ (grey[from + x - width]);
      }
    }
    yield band;
  }
}

/**
 * @param {Iterable<Uint8Array>} bands
 * @returns {Promise<Uint8Array>} zlib stream
 */
async function deflate(bands) {
  const stream = new CompressionStream("deflate");
  const output = new Response(stream.readable).arrayBuffer();
  const writer = stream.writable.getWriter();
  let begun = performance.now();
  for (const band of bands) {
    await writer.write(/** @type {BufferSource} */ (band));
    if (performance.now() - begun < SLICE_MS) continue;
    // Waiting for a write lets no frame through: a draft of a large photo would hold up the stroke after it.
    await new Promise((resume) => setTimeout(resume));
    begun = performance.now();
  }
  await writer.close();
  return new Uint8Array(await output);
}

/**
 * Undo deflate and the row filters band by band, so that no second copy of the raster is made.
 *
 * @param {Uint8Array[]} data
 * @param {number} width
 * @param {number} height
 * @param {Uint8Array} grey is filled
 */
async function inflateRows(data, width, height, grey) {
  const stream = new Blob(/** @type {BlobPart[]} */ (data)).stream().pipeThrough(new DecompressionStream("deflate"));
  const row = new Uint8Array(width + 1);
  let filled = 0;
  let y = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new PngError("This PNG file is broken.");
    });
    if (done) break;
    for (let at = 0; at < value.length && y < height; ) {
      const take = Math.min(value.length - at, row.length - filled);
      row.set(value.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled === row.length) {
        unfilter(row, grey, y, width);
        filled = 0;
        y += 1;
      }
    }
  }
  if (y < height) throw new PngError("This PNG file ends too early.");
}

/**
 * @param {Uint8Array} row filter byte and filtered pixels
 * @param {Uint8Array} grey
 * @param {number} y
 * @param {number} width
 */
function unfilter(row, grey, y, width) {
  const to = y * width;
  const filter = row[0];
  for (let x = 0; x < width; x += 1) {
    const left = x > 0 ? /** @type {number} */ (grey[to + x - 1]) : 0;
    const up = y > 0 ? /** @type {number} */ (grey[to + x - width]) : 0;
    const corner = x > 0 && y > 0 ? /** @type {number} */ (grey[to + x - width - 1]) : 0;
    grey[to + x] = /** @type {number} */ (row[x + 1]) + predict(filter, left, up, corner);
  }
}

/**
 * @param {number | undefined} filter
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function predict(filter, left, up, corner) {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const estimate = left + up - corner;
      const toLeft = Math.abs(estimate - left);
      const toUp = Math.abs(estimate - up);
      const toCorner = Math.abs(estimate - corner);
      if (toLeft <= toUp && toLeft <= toCorner) return left;
      return toUp <= toCorner ? up : corner;
    }
    default:
      throw new PngError("This PNG file uses a filter that does not exist.");
  }
}
