// The live connection: news come in, what a person does at the page goes out; where it is lost it is tried again.
"use strict";
window.dorsiSocket = (() => {
  const DEAF_MS = 5000; // the server speaks at least three times a second
  const AGAIN_MS = 1000;
  const page = JSON.parse(document.getElementById("dorsi-page").textContent);
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live${page.view ? `?view=${page.view}` : ""}`;

  let line = null;
  let heardMs = 0;
  let cut = false; // it was there, or tried, and is lost
  let over = false;

  const open = () => {
    if (over) return;
    const mine = new WebSocket(address);
    line = mine;
    heardMs = performance.now();
    mine.addEventListener("close", () => lose(mine));
    mine.addEventListener("message", ({ data }) => {
      if (line !== mine) return;
      heardMs = performance.now();
      cut = false;
      const news = JSON.parse(data);
      if (news.onward) location.href = `${location.protocol}//${location.hostname}:${news.onward.port}${news.onward.path}`;
      else window.dorsi.push(news);
    });
  };
  const lose = (mine) => {
    if (line !== mine) return;
    line = null;
    cut = true;
    mine.close();
    setTimeout(open, AGAIN_MS);
  };
  // what cannot be told now is not told later: a button that was held then is not held now
  const tell = (event, more = {}) => {
    if (line?.readyState === WebSocket.OPEN) line.send(JSON.stringify({ event, ...more }));
  };
  const end = () => {
    over = true;
    if (line) lose(line);
  };

  setInterval(() => line && performance.now() - heardMs > DEAF_MS && lose(line), 500);
  open();
  return { tell, end, cut: () => cut };
})();
