// A box that ticks all boxes of its form with one name; without scripts it stays hidden.
"use strict";

for (const all of document.querySelectorAll("[data-select-all]")) {
  const box = all.querySelector("input");
  const boxes = () => box.form.querySelectorAll(`input[name="${CSS.escape(all.dataset.selectAll)}"]`);
  all.hidden = false;
  box.addEventListener("change", () => {
    for (const one of boxes()) one.checked = box.checked;
  });
  box.form.addEventListener("change", (event) => {
    if (event.target !== box && event.target.name === all.dataset.selectAll)
      box.checked = [...boxes()].every((one) => one.checked);
  });
}
