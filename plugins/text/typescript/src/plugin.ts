/** Operations on texts. */

export { slugify } from "./slugify.ts";
export { wordCount } from "./word_count.ts";
