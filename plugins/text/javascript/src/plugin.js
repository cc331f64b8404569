/** Operations on texts. */

export { slugify } from "./slugify.js";
export { wordCount } from "./word_count.js";
