/** Numbers, sizes and times as people read them. */

const THIN_SPACE = "\u202f";

/**
 * @param {number} value
 * @returns {string} “11 873 204”, grouped by narrow spaces that do not break
 */
export function groupDigits(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE);
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/**
 * @param {number} seconds
 * @returns {string} a duration that was measured: “0.42 s”, “12 s”, “2 min 05 s”
 */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/**
 * @param {number} seconds
 * @returns {string} a guess about the future, rounded so that it does not flicker
 */
export function timeLeft(seconds) {
  if (seconds < 1.5) return "about a second left";
  if (seconds < 10) return `about ${Math.ceil(seconds)} seconds left`;
  if (seconds < 75) return `about ${Math.ceil(seconds / 5) * 5} seconds left`;
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? "about a minute left" : `about ${minutes} minutes left`;
}

/**
 * @param {string} iso
 * @param {Date} [now]
 * @returns {string} “just now”, “5 minutes ago”, or the date
 */
export function timeAgo(iso, now = new Date()) {
  const seconds = (now.getTime() - new Date(iso).getTime()) / 1000;
  if (seconds < 60) return "just now";
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 3600) return words.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86400) return words.format(-Math.round(seconds / 3600), "hour");
  if (seconds < 7 * 86400) return words.format(-Math.round(seconds / 86400), "day");
  return new Date(iso).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {string}
 */
export function dimensions(width, height) {
  return `${width} × ${height}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 * @returns {string}
 */
export function counted(count, one, many) {
  return `${groupDigits(count)} ${count === 1 ? one : many}`;
}

/**
 * @param {{name: string} | null} person null once the account is deleted
 * @returns {string}
 */
export function personName(person) {
  return person?.name ?? "Former member";
}
