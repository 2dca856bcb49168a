// Code generated from data/crossings.csv by make_piers. DO NOT EDIT.
export const PIERS = {
  "Town Pier": "Town Pier \u2192 Ellery Point",
  "Ellery Point": "Ellery Point \u2192 Town Pier",
};
