// Keeps a page up to date, and puts times into the reader's zone. Without it the page is as it was when it was loaded.
"use strict";

(() => {
  const SILENT_MS = 40000, FIRST_MS = 1000, LONGEST_MS = 30000;
  const FOCUSED = "a, button, input, select, [tabindex]";
  // `behindMs`: the page was not fetched, or is late, and is tried again after so long; 0 if what is shown is what the stream tells of.
  let stream, heardAt = Date.now(), lateSince, pauseMs = FIRST_MS, position, loading = false, again = false, behindMs = 0;

  const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

  function times(root) {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const time = new Date(element.dateTime);
      if (isNaN(time)) continue;
      element.title = element.dateTime.replace("T", " ").replace("Z", " UTC");
      element.textContent = long.format(time);
    }
  }

  function late(text) {
    const shown = document.getElementById("freshness");
    if (!shown) return;
    if (shown.textContent !== text) shown.textContent = text;
    shown.classList.add("late");
  }

  // The connection to the board is lost: what is shown was true when it was heard last.
  function lost() {
    lateSince = lateSince || new Date(heardAt);
    late(`Not up to date since ${clock.format(lateSince)}: the board does not answer. It is tried again; if your login has ended, reload.`);
  }

  function state(data) {
    const shown = document.getElementById("freshness");
    if (!shown || behindMs) return;
    lateSince = undefined;
    if (!data.fresh) {
      late(`Not up to date: the cluster does not answer. This is as of ${data.asOf ? long.format(new Date(data.asOf)) : "its start"}.`);
      return;
    }
    shown.classList.remove("late");
    // Only when it becomes so: a screen reader says what changes here.
    const text = "Up to date: changes are shown as they come.";
    if (shown.textContent !== text) shown.textContent = text;
  }

  function named(element) { return element.name || element.getAttribute("href") || element.getAttribute("aria-label"); }

  function count() {
    const shown = document.getElementById("troubled");
    if (shown) shown.textContent = document.querySelectorAll("td.off").length;
  }

  function change(parts) {
    const said = [];
    // The page that is being fetched may have been made before this.
    if (loading) again = true;
    for (const [id, html] of Object.entries(parts)) {
      const old = document.getElementById(id);
      if (!old) continue;
      const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      const made = document.createElement("template");
      made.innerHTML = `<table><tr>${html}</tr></table>`;
      const cell = made.content.querySelector("td, th");
      times(cell);
      if (cell.tagName === "TD") {
        cell.classList.add("changed");
        const names = id.split("/");
        const how = cell.querySelector("b");
        said.push(`${names[2]} in ${names[3]}: ${how ? how.textContent.replace(/[^\w ]/g, "").trim() : "changed"}`);
      }
      old.replaceWith(cell);
      if (focused) [...cell.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
    }
    count();
    if (said.length) document.getElementById("said").textContent = said.slice(0, 5).join(", ");
  }

  function behind(waitedMs) {
    behindMs = Math.min(LONGEST_MS, 2 * waitedMs || FIRST_MS);
    again = true;
  }

  // Some of what the page asks for is not there yet.
  function soon(live) { if ("again" in live.dataset) setTimeout(reload, 3000); }

  // Rows or columns have come or gone: the page is fetched, and its content replaced, so that what is scrolled and focused stays.
  async function reload() {
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error", cache: "no-store" });
      // It is gone, or no longer to be seen: what is said then takes the place of what was there.
      if (answer.status === 404) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live"), old = document.getElementById("live");
      if (!answer.ok || !fresh) throw new Error(`status ${answer.status}`);
      const scrolled = [...old.querySelectorAll(".scroll")].map((element) => [element.scrollLeft, element.scrollTop]);
      const focused = old.contains(document.activeElement) && named(document.activeElement);
      times(fresh);
      const filters = old.querySelector("form");
      if (filters && filters.contains(document.activeElement)) fresh.querySelector("form").replaceWith(filters);
      if (fresh.dataset.said && fresh.dataset.said !== old.dataset.said) document.getElementById("said").textContent = fresh.dataset.said;
      old.replaceWith(fresh);
      fresh.querySelectorAll(".scroll").forEach((element, number) => element.scrollTo(...(scrolled[number] || [0, 0])));
      if (focused) [...fresh.querySelectorAll(FOCUSED)].find((element) => named(element) === focused)?.focus({ preventScroll: true });
      const isLate = Boolean(fresh.querySelector("#freshness.late")), waitedMs = behindMs;
      [position, behindMs] = [fresh.dataset.position, 0];
      soon(fresh);
      state({ fresh: !isLate, asOf: fresh.querySelector("#freshness time")?.dateTime });
      // Another replica than the one that the stream comes from may be late alone.
      if (isLate) behind(waitedMs);
    } catch {
      behind(behindMs);
      lost();
    }
    // Not more than once a second, however much comes and goes; a page that is always made anew as a whole every five.
    const restMs = Math.max(behindMs, "whole" in document.getElementById("live").dataset ? 5000 : 1000);
    setTimeout(() => { loading = false; if (again) { again = false; reload(); } }, restMs);
  }

  function open() {
    const live = document.getElementById("live");
    position = position || live.dataset.position;
    stream = new EventSource(`${live.dataset.stream}${live.dataset.stream.includes("?") ? "&" : "?"}at=${encodeURIComponent(position)}`);
    const on = (name, act) => stream.addEventListener(name, (event) => {
      heardAt = Date.now();
      pauseMs = FIRST_MS;
      if (event.lastEventId) position = event.lastEventId;
      act(JSON.parse(event.data));
    });
    on("state", state);
    on("change", (data) => "whole" in document.getElementById("live").dataset ? reload() : change(data.parts));
    on("reload", reload);
    stream.onerror = close;
  }

  function close() {
    if (!stream) return;
    stream.close();
    stream = undefined;
    lost();
    setTimeout(open, pauseMs * (0.5 + Math.random() / 2));
    pauseMs = Math.min(LONGEST_MS, pauseMs * 2);
  }

  times(document);
  if (!document.getElementById("live")) return;
  open();
  soon(document.getElementById("live"));
  setInterval(() => { if (Date.now() - heardAt > SILENT_MS) close(); }, 5000);
  // A page that the browser has kept, and shows again, is loaded anew.
  addEventListener("pageshow", (event) => { if (event.persisted) reload(); });
})();
