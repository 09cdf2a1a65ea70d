"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const body = document.querySelector(".body"), area = document.querySelector(".area");
  const times = all(".time"), items = all("[data-r]:not(.time)"), texts = all(".text"), buttons = all("button[data-c]");
  const { height, folded } = Object.fromEntries(Object.entries(body.dataset).map(([name, it]) => [name, Number(it)]));
  const chosen = new Set();
  const rows = (item) => item.dataset.r.split(" ").map(Number);
  const spoken = (micros) => {
    const [value, unit] = micros < 1e3 ? [micros, "µs"] : micros < 1e6 ? [micros / 1e3, "ms"] : [micros / 1e6, "s"];
    return `${value < 100 ? Number(value.toPrecision(3)) : Math.round(value)} ${unit}`;
  };
  // Rows in which nothing is shown have no height.
  function place() {
    const used = new Set(), y = [];
    for (const item of items) {
      const off = chosen.size > 0 && item.dataset.c !== undefined && !chosen.has(item.dataset.c);
      item.classList.toggle("off", off);
      if (!off) rows(item).forEach((row) => used.add(row));
    }
    all(".fold").forEach((fold) => fold.remove());
    const moments = times.filter((_, row) => used.has(row)).map((time) => Number(time.dataset.t));
    const gaps = moments.slice(1).map((moment, index) => moment - moments[index]).filter((gap) => gap > 0);
    const usual = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 1;
    let at = height, before = null;
    times.forEach((time, row) => {
      const now = Number(time.dataset.t), shown = used.has(row);
      time.classList.toggle("off", !shown);
      if (shown) {
        const gap = before === null ? 0 : now - before;
        if (before !== null) at += height;
        if (gap >= folded * usual) {
          const fold = document.createElement("div");
          fold.className = "fold";
          fold.textContent = spoken(gap);
          fold.style.top = `${at - 12}px`;
          area.append(fold);
          at += height;
        } else {
          at += gap / usual * height;
        }
        before = now;
      }
      y.push(at);
      time.style.top = `${at - 9}px`;
    });
    for (const item of items) {
      const [first, second] = rows(item).map((row) => y[row]);
      const shift = Number(item.dataset.d ?? 0);
      if (item.tagName === "line") {
        item.setAttribute("y1", first);
        item.setAttribute("y2", second + shift);
      } else if (item.tagName === "circle") {
        item.setAttribute("cy", first);
      } else {
        item.style.top = `${first + shift}px`;
      }
    }
    body.style.height = `${at + height}px`;
    for (const button of buttons) button.setAttribute("aria-pressed", chosen.has(button.dataset.c));
  }
  function choose(numbers) {
    chosen.clear();
    numbers.forEach((number) => chosen.add(number));
    place();
  }
  const faulty = buttons.filter((button) => button.classList.contains("faulty")).map((button) => button.dataset.c);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const number = button.dataset.c;
      choose(chosen.has(number) ? [...chosen].filter((it) => it !== number) : [...chosen, number]);
    });
  }
  document.querySelector("#all").addEventListener("click", () => choose([]));
  document.querySelector("#faulty")?.addEventListener("click", () => choose(faulty));
  for (const link of all(".faults a")) link.addEventListener("click", () => choose([]));
  // Search: what is found is marked, and each Enter goes to the next.
  const search = document.querySelector("#search");
  let next = 0;
  const found = () => texts.filter((text) => text.classList.contains("hit") && !text.classList.contains("off"));
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    next = 0;
    for (const text of texts) {
      text.classList.remove("now");
      text.classList.toggle("hit", wanted !== "" && text.title.toLowerCase().includes(wanted));
    }
  });
  search.addEventListener("keydown", (event) => {
    const hits = found();
    if (event.key !== "Enter" || hits.length === 0) return;
    texts.forEach((text) => text.classList.remove("now"));
    const hit = hits[next++ % hits.length];
    hit.classList.add("now");
    hit.scrollIntoView({ block: "center" });
  });
  choose(buttons.length > 12 ? faulty : []);
})();
