// The service's pages: which questions were on the screen, where a waiting page goes next, how far a file is.
"use strict";
(() => {
  const ASK_MS = 300;
  const SHOWN = 0.9; // of a question: then it was on the screen

  const told = async (url) => {
    try {
      const answer = await fetch(url, { cache: "no-store" });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // asked again
    }
  };

  // --- the checklist ---

  const unchanged = document.getElementById("unchanged");
  const questions = [...document.querySelectorAll("[data-question]")];
  const see = (question) => {
    question.classList.add("seen");
    question.querySelector("input[type=hidden]").value = "yes";
    if (unchanged && questions.every((one) => one.classList.contains("seen"))) unchanged.disabled = false;
  };
  if (questions.length) {
    const bottom = () => document.querySelector(".sticky")?.offsetHeight ?? 0; // that lies over the questions
    const top = () => document.getElementById("bar").offsetHeight;
    const watch = new IntersectionObserver(
      (entries) => entries.filter((one) => one.intersectionRatio >= SHOWN).forEach((one) => see(one.target)),
      { threshold: SHOWN, rootMargin: `-${top()}px 0px -${bottom()}px 0px` },
    );
    for (const question of questions) watch.observe(question);
  }

  // --- pages that wait ---

  const follow = document.getElementById("follow");
  const next = async () => {
    const now = await told(follow.dataset.url);
    if (now?.next) location.replace(now.next);
    else setTimeout(next, ASK_MS);
  };
  if (follow) next();

  const progress = document.getElementById("progress");
  const file = async () => {
    const now = await told(progress.dataset.url);
    if (now?.words) document.getElementById("progress-words").textContent = now.words;
    if (now?.ready) {
      progress.hidden = true;
      document.getElementById("ready").hidden = false;
    } else if (now?.done) location.reload();
    else setTimeout(file, ASK_MS);
  };
  if (progress) file();
})();
