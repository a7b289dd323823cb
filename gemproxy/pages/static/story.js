// Moves the bars of the time line while a request runs, and loads the page again when it is over.
"use strict";

document.addEventListener("gemproxy:news", ({ detail }) => {
  for (const item of detail.lists?.attempts || [])
    for (const row of document.querySelectorAll(`[data-list="attempts"] > [data-row="${CSS.escape(item.id)}"]`))
      for (const bar of row.querySelectorAll("[data-bar]")) {
        const [x, width] = item.bars[bar.dataset.bar].map(Number);
        bar.setAttribute("x", x);
        bar.setAttribute("width", width);
      }
  if (detail.running === false && document.querySelector("[data-running]")) location.reload();
});
