"use strict";
// Comfort only: zoom, a crosshair with its reading, and quick tooltips. The page says everything without it.
(() => {
  const line = document.querySelector(".timeline");
  if (!line) return;
  document.documentElement.classList.add("scripted");
  const sheet = line.querySelector(".sheet"), cross = document.getElementById("cross"), tip = document.getElementById("tip");
  const reading = document.getElementById("reading"), gutter = Number(line.dataset.gutter);
  const t0 = Number(line.dataset.t0), t1 = Number(line.dataset.t1), wall = line.dataset.wall === "1";
  let zoom = 1;

  const setZoom = (wanted, atX) => {
    const next = Math.min(64, Math.max(1, wanted));
    const at = atX === undefined ? line.clientWidth / 2 : atX;
    const inside = (line.scrollLeft + at - gutter) / (sheet.clientWidth - gutter);
    zoom = next;
    sheet.style.width = zoom * 100 + "%";
    line.dataset.zoom = zoom >= 16 ? "3" : zoom >= 4 ? "2" : "1";
    line.scrollLeft = inside * (sheet.clientWidth - gutter) + gutter - at;
    document.getElementById("zoom").textContent = "× " + (zoom < 10 ? zoom.toFixed(1) : Math.round(zoom));
  };
  const two = (n) => String(n).padStart(2, "0");
  const clock = (ms) => {
    const s = Math.floor(ms / 1000), rest = String(Math.floor(ms) % 1000).padStart(3, "0");
    const minutes = wall ? two(Math.floor(s / 3600) % 24) + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60);
    return minutes + ":" + two(s % 60) + "." + rest;
  };

  document.querySelector(".tools").addEventListener("click", (event) => {
    const by = event.target.dataset.by;
    if (by) setZoom(by === "0" ? 1 : zoom * Number(by));
  });
  line.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 0.8 : 0.15;
    if (event.key === "+" || event.key === "=") setZoom(zoom * 1.5);
    else if (event.key === "-") setZoom(zoom / 1.5);
    else if (event.key === "0") setZoom(1);
    else if (event.key === "ArrowLeft") line.scrollLeft -= line.clientWidth * far;
    else if (event.key === "ArrowRight") line.scrollLeft += line.clientWidth * far;
    else return;
    event.preventDefault();
  });
  line.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setZoom(zoom * Math.exp(-event.deltaY / 300), event.clientX - line.getBoundingClientRect().left);
  }, { passive: false });

  let told = null;
  const untell = () => {
    if (told) told.node.textContent = told.text;
    told = null;
    tip.style.display = "none";
  };
  document.addEventListener("pointermove", (event) => {
    const own = event.target.closest && event.target.closest("svg *");
    const node = own && [...own.children].find((child) => child.tagName === "title");
    if (told && told.node !== node) untell();
    if (node && !told) {
      told = { node, text: node.textContent };
      tip.textContent = told.text;
      node.textContent = "";
    }
    if (told) {
      tip.style.display = "block";
      tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
      tip.style.top = Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8) + "px";
    }
    const strip = event.target.closest && event.target.closest(".row .strip");
    if (!strip) { cross.style.display = "none"; reading.textContent = ""; return; }
    const box = strip.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    if (share < 0 || share > 1) return;
    cross.style.display = "block";
    cross.style.left = event.clientX - sheet.getBoundingClientRect().left + "px";
    let text = clock(t0 + (t1 - t0) * share);
    if (strip.dataset.m0) {
      const y0 = Number(strip.dataset.y0), y1 = Number(strip.dataset.y1), y = event.clientY - box.top;
      const m0 = Number(strip.dataset.m0), m1 = Number(strip.dataset.m1);
      if (y <= y0 && y >= y1) text += "   " + (m0 + (y0 - y) / (y0 - y1) * (m1 - m0)).toFixed(0) + " m";
    }
    reading.textContent = text;
  });
  document.addEventListener("pointerleave", untell);
  setZoom(1);
})();
