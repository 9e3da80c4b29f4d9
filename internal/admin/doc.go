// Package admin has the shapes that a service's admin interface and the tool
// exchange as JSON. docs/tool.md describes them; fields may be added.
package admin
