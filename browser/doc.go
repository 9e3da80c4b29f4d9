// Package browser proves that the shop's page works where customers use it: its tests
// start the shop, and drive Chromium through browsing, ordering and following orders, by
// mouse and by keyboard alone, on a desktop and on a phone, in light and in dark. It is a
// module of its own so that what drives the browser is no dependency of the shop.
//
// It does not test what the services do with an order, nor other browsers.
//
// Without Chromium the tests are skipped, except in CI (CI=true), where they fail. With
// TUTTI_SHOTS=DIR they leave pictures of the page in DIR.
package browser
