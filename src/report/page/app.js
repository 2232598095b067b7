// What pages do beyond HTML: tell of the places in pictures, and follow a study that grows. No library.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  const live = document.getElementById("live");
  const said = document.getElementById("said");
  const body = document.body;
  let pointed = null; // the picture that is told of
  let at = -1; // which of its places

  const tips = (svg) => {
    if (!svg.tips) svg.tips = JSON.parse(svg.dataset.tips);
    return svg.tips;
  };

  const hide = () => {
    tip.hidden = true;
    if (pointed) {
      const mark = pointed.querySelector(".hover");
      if (mark) mark.remove();
      pointed.style.removeProperty("cursor");
    }
    pointed = null;
    at = -1;
  };

  const show = (svg, index, aloud) => {
    if (pointed !== svg) hide();
    pointed = svg;
    at = index;
    const [x, y, text, trial] = tips(svg)[index];
    let mark = svg.querySelector(".hover");
    if (!mark) {
      mark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      mark.setAttribute("class", "hover");
      mark.setAttribute("r", "7");
      svg.append(mark);
    }
    mark.setAttribute("cx", x);
    mark.setAttribute("cy", y);
    tip.textContent = text;
    tip.hidden = false;
    const matrix = svg.getScreenCTM();
    const left = x * matrix.a + matrix.e, top = y * matrix.d + matrix.f;
    const { offsetWidth: w, offsetHeight: h } = tip;
    tip.style.left = Math.max(4, Math.min(left + 14, innerWidth - w - 8)) + "px";
    tip.style.top = Math.max(4, top + 14 + h > innerHeight ? top - h - 12 : top + 14) + "px";
    svg.style.cursor = trial && body.dataset.trials ? "pointer" : "default";
    if (aloud && said) said.textContent = text;
  };

  const nearest = (svg, event) => {
    const matrix = svg.getScreenCTM();
    const x = (event.clientX - matrix.e) / matrix.a, y = (event.clientY - matrix.f) / matrix.d;
    let best = -1, least = 26 * 26;
    tips(svg).forEach(([px, py], index) => {
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [index, far];
    });
    return best;
  };

  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest ? event.target.closest("svg[data-tips]") : null;
    const index = svg ? nearest(svg, event) : -1;
    if (index < 0) hide();
    else if (svg !== pointed || index !== at) show(svg, index, false);
  });

  const open = (trial) => {
    if (trial && body.dataset.trials) location.href = body.dataset.trials + trial;
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap], a.pick");
    if (link && body.dataset.sections && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      history.pushState(null, "", link.getAttribute("href"));
      update();
      return;
    }
    if (!event.target.closest("a") && pointed && at >= 0) open(tips(pointed)[at][3]);
  });

  document.addEventListener("keydown", (event) => {
    const svg = document.activeElement;
    if (!svg || !svg.matches || !svg.matches("svg[data-tips]")) return;
    const count = tips(svg).length;
    const order = () => {
      if (!svg.order) svg.order = tips(svg).map((_, i) => i).sort((a, b) => tips(svg)[a][0] - tips(svg)[b][0]);
      return svg.order;
    };
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      const place = pointed === svg ? order().indexOf(at) : step > 0 ? -1 : count;
      show(svg, order()[Math.max(0, Math.min(count - 1, place + step))], true);
      event.preventDefault();
    } else if (event.key === "Enter" && pointed === svg) open(tips(svg)[at][3]);
    else if (event.key === "Escape") hide();
  });
  document.addEventListener("focusout", hide);

  // The rest follows a study that a server tells of.
  if (!body.dataset.sections) return;
  let asking = false, again = false;

  async function update() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const have = [...document.querySelectorAll("section[data-hash]")].map((s) => s.id + "=" + s.dataset.hash);
      const answer = await fetch(body.dataset.sections + location.search, { headers: { "x-have": have.join(",") } });
      if (!answer.ok) throw new Error(answer.status);
      const changed = await answer.json();
      const focus = focused();
      for (const [id, html] of Object.entries(changed)) {
        const old = document.getElementById(id);
        if (!old) continue;
        if (pointed && old.contains(pointed)) hide();
        old.outerHTML = html;
      }
      refocus(focus);
      body.dataset.updates = Number(body.dataset.updates || 0) + 1;
    } catch (error) {
      live.textContent = "no answer from the server; trying again";
      setTimeout(() => update(), 2000);
    }
    asking = false;
    if (again) {
      again = false;
      update();
    }
  }

  // Whoever reads a part by keyboard stays where they are when it is replaced.
  function focused() {
    const of = document.activeElement && document.activeElement.closest("section[id]");
    if (!of) return null;
    return [of.id, [...of.querySelectorAll("a, select, svg[tabindex]")].indexOf(document.activeElement)];
  }
  function refocus(focus) {
    if (!focus || focus[1] < 0) return;
    const of = document.getElementById(focus[0]);
    const to = of && of.querySelectorAll("a, select, svg[tabindex]")[focus[1]];
    if (to && to !== document.activeElement) to.focus({ preventScroll: true });
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("select[name=control]")) return;
    const query = new URLSearchParams(location.search);
    if (event.target.value) query.set("control", event.target.value);
    else query.delete("control");
    history.pushState(null, "", "?" + query);
    update();
  });
  addEventListener("popstate", () => update());

  const events = new EventSource(body.dataset.events);
  events.onopen = () => (live.textContent = "live");
  events.onmessage = () => update();
  events.onerror = () => (live.textContent = "the server does not answer; trying again");
})();
