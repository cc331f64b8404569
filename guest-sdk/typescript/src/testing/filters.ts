/** Filters of the contract, without Extended JSON. */

import { CallError } from "../host.ts";
import { isEqual, type Json } from "../json.ts";
import { compare, type Fields, isFields, isSameType, valuesAt } from "./values.ts";

type Value = Json | undefined;

/** Returns whether a document, with its id in `_id`, matches a filter. */
export function matches(filter: Fields, document: Json): boolean {
  return Object.entries(filter).every(([name, condition]) => {
    switch (name) {
      case "$and":
        return filtersOf(condition).every((one) => matches(one, document));
      case "$or":
        return filtersOf(condition).some((one) => matches(one, document));
      case "$nor":
        return !filtersOf(condition).some((one) => matches(one, document));
      default:
        if (name.startsWith("$")) throw unknown(name);
        return matchesField(condition, valuesAt(document, name));
    }
  });
}

function filtersOf(value: Json): Fields[] {
  if (Array.isArray(value) && value.every(isFields)) return value as Fields[];
  throw new CallError({ tag: "invalid", val: "expected a list of filters" });
}

function matchesField(condition: Json, values: Value[]): boolean {
  if (!isOperators(condition)) return some(values, (value) => isEqual(value ?? null, condition));
  return Object.entries(condition).every(([operator, argument]) => {
    if (operator === "$options") return true;
    return matchesOperator(operator, argument, values, condition);
  });
}

function matchesOperator(name: string, argument: Json, values: Value[], all: Fields): boolean {
  const isOne = (list: Json) => (value: Value) =>
    (list as Json[]).some((item) => isEqual(value ?? null, item));
  const isOrdered = (test: (order: number) => boolean) =>
    some(values, (value) => {
      const found = value ?? null;
      return isSameType(found, argument) && test(compare(found, argument));
    });
  switch (name) {
    case "$eq":
      return some(values, (value) => isEqual(value ?? null, argument));
    case "$ne":
      return !some(values, (value) => isEqual(value ?? null, argument));
    case "$in":
      return some(values, isOne(argument));
    case "$nin":
      return !some(values, isOne(argument));
    case "$gt":
      return isOrdered((order) => order > 0);
    case "$gte":
      return isOrdered((order) => order >= 0);
    case "$lt":
      return isOrdered((order) => order < 0);
    case "$lte":
      return isOrdered((order) => order <= 0);
    case "$exists":
      return values.some((value) => value !== undefined) === argument;
    case "$size":
      return values.some((value) => Array.isArray(value) && value.length === argument);
    case "$regex": {
      const pattern = new RegExp(String(argument), `u${String(all["$options"] ?? "")}`);
      return some(values, (value) => typeof value === "string" && pattern.test(value));
    }
    case "$not":
      return !matchesField(argument, values);
    case "$elemMatch":
      return values.some(
        (value) => Array.isArray(value) && value.some((item) => matchesItem(argument, item)),
      );
    default:
      throw unknown(name);
  }
}

function matchesItem(condition: Json, item: Json): boolean {
  if (isOperators(condition)) return matchesField(condition, [item]);
  return isFields(condition) && matches(condition, item);
}

/** Returns whether a value or an item of a list matches. */
function some(values: Value[], test: (value: Value) => boolean): boolean {
  return values.some((value) => test(value) || (Array.isArray(value) && value.some(test)));
}

function isOperators(condition: Json): condition is Fields {
  return isFields(condition) && Object.keys(condition).some((name) => name.startsWith("$"));
}

function unknown(name: string): CallError {
  return new CallError({ tag: "invalid", val: `unknown operator \`${name}\`` });
}
