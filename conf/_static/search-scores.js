/* Order of the search results: pages that answer come before those that show code, evidence or the project's inside. */
"use strict";

const SEARCH_LAST = [/^gallery\//, /^reference\//, /^architecture$/];
const SEARCH_FIRST = [/^slow$/, /^machine$/, /^how-to-read-these-numbers$/];

var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, , , , score]) => {
    if (SEARCH_LAST.some((pattern) => pattern.test(page))) return score - 100;
    if (SEARCH_FIRST.some((pattern) => pattern.test(page))) return score + 3;
    return score;
  },
};
