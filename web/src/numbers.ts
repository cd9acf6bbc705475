// Numbers as the data files hold them: base64 of little-endian floats, or of the places where a row changes.

export interface Packed {
  shape: [number, number];
  type: "f4" | "f8";
  data: string;
  at?: string;
}

function bytes(text: string): ArrayBuffer {
  const raw = atob(text);
  const target = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) target[at] = raw.charCodeAt(at);
  return target.buffer;
}

/** All numbers, row after row. */
export function unpack(packed: Packed): Float64Array {
  const buffer = bytes(packed.data);
  const numbers = packed.type === "f4" ? Float64Array.from(new Float32Array(buffer)) : new Float64Array(buffer);
  if (packed.at === undefined) return numbers;
  const places = new Uint32Array(bytes(packed.at));
  const whole = new Float64Array(packed.shape[0] * packed.shape[1]);
  places.forEach((begin, at) => whole.fill(numbers[at] ?? NaN, begin, places[at + 1] ?? whole.length));
  return whole;
}
