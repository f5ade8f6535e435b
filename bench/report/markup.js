// HTML from templates: what is put in is text, unless it is HTML made here.

class Markup {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** @param {TemplateStringsArray} strings @param {...unknown} values texts, figures, markup, or arrays of such */
export function html(strings, ...values) {
  return new Markup(strings.map((string, i) => string + (i < values.length ? rendered(values[i]) : '')).join(''));
}

/** What is HTML already. @param {string} text */
export const raw = (text) => new Markup(text);

/** @param {unknown} value @returns {string} */
function rendered(value) {
  if (Array.isArray(value)) return value.map(rendered).join('');
  if (value instanceof Markup) return value.text;
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
