/** Three digits, or all before the point. @param {number} value */
export function figure(value) {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

/** Two digits, or all before the point. @param {number} value */
export function brief(value) {
  return Math.abs(value) >= 10 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}
