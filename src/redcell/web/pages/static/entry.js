// Keys of the staff entry: digits choose a grade, n w u b the course, Enter goes to the next row.
"use strict";
{
  const form = document.getElementById("entry");
  for (const one of document.querySelectorAll(".with-script")) one.hidden = false;
  const rows = [...form.querySelectorAll("fieldset")];
  form.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || at.type !== "radio") return;
    const row = at.closest("fieldset");
    if (event.key === "Enter") {
      const next = rows[rows.indexOf(row) + 1];
      const to = next ? next.querySelector("input") : document.getElementById("note");
      event.preventDefault();
      to.focus();
      return;
    }
    const found = row.querySelector(`input[data-key="${CSS.escape(event.key)}"]`);
    if (found) {
      event.preventDefault();
      found.checked = true;
      found.focus();
    }
  });
}
