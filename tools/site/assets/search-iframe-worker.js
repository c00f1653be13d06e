// The theme's search: its index comes when somebody searches, not with each page, and it works on
// pages that were opened from disk, too.
"use strict";

(() => {
  const INDEX = /\/search\/search_index\.js(on)?$/;

  /** Once the field of the search has been entered, or the address asks for something. */
  const wanted = new Promise((resolve) => {
    if (new URLSearchParams(location.search).has("q")) resolve();
    addEventListener("focusin", (event) => event.target.matches?.(".md-search__input") && resolve());
  });

  // The theme asks a server for the index by a request, and a disk by a script.
  const {open, send} = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    this.waits = INDEX.test(address);
    return open.call(this, method, address, ...rest);
  };
  XMLHttpRequest.prototype.send = function (...body) {
    if (this.waits) wanted.then(() => send.apply(this, body));
    else send.apply(this, body);
  };
  const append = document.head.appendChild;
  document.head.appendChild = function (node) {
    if (INDEX.test(node.src)) wanted.then(() => append.call(this, node));
    else append.call(this, node);
    return node;
  };
})();

// The search takes each word for the beginning of one, and a word before a colon for a field. So that
// "LoRA" finds LoRA before LoraHub, and a title what it is pasted from, whole words are asked for too,
// with more weight, and no colon. `benchmarks/search.py` says how well that does.
const asked = (message) => {
  if (message.type !== 2) return message;
  const words = message.data.split(/[\s:-]+/).filter((word) => /^[\p{L}\p{N}]+$/u.test(word));
  const whole = words.map((word) => `${word}^4 `).join("");
  return {...message, data: whole + message.data.replaceAll(":", " ")};
};

// Browsers start no worker for a page that was opened from disk. There, the search runs in a hidden
// frame instead, which offers what the search uses of a worker: messages in, messages out.

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #waiting = [];
    #frame = document.createElement("iframe");

    constructor(address) {
      super();
      this.#frame.hidden = true;
      this.#frame.title = "Search";
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      script.src = address;
      script.onload = () => {
        const waiting = this.#waiting;
        this.#waiting = null;
        for (const data of waiting) this.postMessage(data);
      };
      inside.document.body.append(script);
    }

    postMessage(message) {
      const data = asked(message);
      if (this.#waiting) this.#waiting.push(data);
      else this.#frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {
      this.#frame.remove();
    }
  };
} else {
  window.Worker = class extends Worker {
    postMessage(message) {
      super.postMessage(asked(message));
    }
  };
}
