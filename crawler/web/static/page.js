// The page works without this; it only adds two keys.
"use strict";

document.addEventListener("keydown", (event) => {
  const field = event.target;
  const typing = field.matches("input, textarea, select") || field.isContentEditable;
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("q") || document.getElementById("query");
    if (box) {
      event.preventDefault();
      box.focus();
    }
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field.id === "query") {
    event.preventDefault();
    field.form.requestSubmit();
  }
});
