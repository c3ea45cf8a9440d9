"""Three nodes in the workers of a page, in a real browser.

    examples/browser/build.sh
    /usr/bin/python3 examples/browser/test_browser.py

needs Chromium, its driver and Selenium (Debian: chromium chromium-driver python3-selenium). SITE names the folder of the
built page if it is somewhere else; SCREENSHOTS a folder for pictures of it.
"""

import functools
import http.server
import os
import pathlib
import threading
import unittest

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = os.environ.get("SITE", str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "browser"))
SCREENSHOTS = os.environ.get("SCREENSHOTS")

NODES = (1, 2, 3)
# Many election timeouts: a machine that is busy passes too.
PATIENCE_SECONDS = 60
# WCAG AA, for text.
LEAST_CONTRAST = 4.5

CONTRAST = """
const parts = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ground = (at) => {
  for (; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const bad = [];
for (const at of document.querySelectorAll("body *")) {
  const own = [...at.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !at.getClientRects().length || at.closest("script, option")) continue;
  const [one, other] = [luminance(parts(getComputedStyle(at).color)), luminance(ground(at))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < arguments[0]) bad.push(`${at.tagName}.${at.className} ${contrast.toFixed(1)}: ${at.textContent.slice(0, 40)}`);
}
return bad;
"""

# Added to the worker: a database that fails from the next transaction on, when the test says so.
FAULT = b"""
addEventListener("message", ({ data }) => {
  if (data.kind !== "start") return;
  const channel = new BroadcastChannel(`fault at n${data.id}`);
  channel.onmessage = () => {
    const transaction = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...words) {
      const made = transaction.apply(this, words);
      queueMicrotask(() => made.abort());
      return made;
    };
    channel.postMessage("from now on");
  };
});
"""

BREAK = """
const channel = new BroadcastChannel(arguments[0]);
channel.onmessage = () => { channel.close(); arguments[1](); };
channel.postMessage("break");
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    # Whatever the system's tables say: a browser takes no other type for these.
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map,
                      ".js": "text/javascript", ".wasm": "application/wasm"}

    def do_GET(self):
        if self.path != "/worker.js":
            return super().do_GET()
        worker = (pathlib.Path(SITE) / "worker.js").read_bytes() + FAULT
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(worker)))
        self.end_headers()
        self.wfile.write(worker)

    def log_message(self, format, *args):
        pass


def browser():
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return driver


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (pathlib.Path(SITE) / "raft_browser_bg.wasm").exists():
            raise AssertionError(f"there is no page in {SITE}: run examples/browser/build.sh, or set SITE")
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=SITE))
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        # A browser of its own with an empty profile: a new cluster.
        self.driver = browser()
        self.addCleanup(self.driver.quit)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.driver.get(self.address)

    def tearDown(self):
        complaints = [entry["message"] for entry in self.driver.get_log("browser")]
        self.assertEqual(complaints, [], "the console is empty")

    # ----- what is seen -----

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        # Not the element's `text`, which would read one that is being replaced.
        return self.driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)

    def role(self, node):
        return self.text(f"#n{node} .role")

    def map(self, node):
        return self.text(f"#n{node} .map")

    def read(self, node):
        return self.text(f"#n{node} .read")

    def wait(self, what, condition):
        """The first true value of the condition."""
        try:
            return WebDriverWait(self.driver, PATIENCE_SECONDS, poll_frequency=0.05).until(lambda _: condition())
        except TimeoutException:
            self.fail(f"after {PATIENCE_SECONDS} s it was still not so that {what}. The page:\n{self.text('#nodes')}\n"
                      f"{self.text('#answer')}\n{self.text('#log')}\n{self.driver.get_log('browser')}")

    def leader(self, among):
        """The one that leads and that all of them name."""
        leaders = [node for node in among if self.role(node) == "leader"]
        if len(leaders) != 1:
            return None
        named = {node: "itself" if node == leaders[0] else f"n{leaders[0]}" for node in among}
        return leaders[0] if all(self.text(f"#n{node} .of") == named[node] for node in among) else None

    def elected(self, among=NODES):
        return self.wait(f"one of {among} leads the others", lambda: self.leader(among))

    def picture(self, name):
        if SCREENSHOTS:
            self.driver.save_screenshot(str(pathlib.Path(SCREENSHOTS) / f"{name}.png"))

    def theme(self, name):
        wish = {"features": [{"name": "prefers-color-scheme", "value": name}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)

    # ----- what is done -----

    def fill(self, key, value, at):
        for name, words in (("key", key), ("value", value)):
            field = self.find(f"input[name={name}]")
            field.clear()
            field.send_keys(words)
        Select(self.find("select[name=node]")).select_by_value(str(at))

    def put(self, key, value, at):
        self.fill(key, value, at)
        self.find("#put button").click()
        prefix = f"{key} = {value}: "
        self.wait(f"the put of {key} = {value} at n{at} is answered",
                  lambda: self.text("#answer").startswith(prefix) and not self.text("#answer").endswith("…"))
        self.assertIn(": done, committed at", self.text("#answer"))

    def start_all(self):
        for node in NODES:
            if self.role(node) in ("stopped", "failed"):
                self.find(f"#n{node} .power").click()

    def read_everywhere(self):
        """What the three reads give, when all are answered."""
        self.find("#read").click()
        self.wait("all reads are answered", lambda: all(self.read(node) not in ("", "…") for node in NODES))
        return {node: self.read(node) for node in NODES}

    # ----- the tests -----

    def test_a_leader_is_stopped_and_comes_back(self):
        first = self.elected()
        self.put("colour", "green", at=first)
        self.assertEqual(self.read_everywhere(), dict.fromkeys(NODES, "colour = green"))
        self.picture("light")

        self.find("#stop-leader").click()
        self.assertEqual(self.role(first), "stopped")
        others = [node for node in NODES if node != first]
        second = self.elected(others)
        follower = next(node for node in others if node != second)
        self.put("shape", "round", at=follower)
        answers = self.read_everywhere()
        self.assertEqual([answers[node] for node in others], ["colour = green\nshape = round"] * 2)
        self.assertEqual(answers[first], "refused: the node is stopped")
        self.theme("dark")
        self.picture("dark")

        self.find(f"#n{first} .power").click()
        self.wait("the stopped one has caught up", lambda: self.map(first) == "colour = green\nshape = round")
        self.elected()
        self.assertEqual(self.read_everywhere(), dict.fromkeys(NODES, "colour = green\nshape = round"))

    def test_a_leader_that_is_cut_off_answers_no_read(self):
        first = self.elected()
        self.put("colour", "green", at=first)
        self.find(f"#n{first} .cut").click()
        answers = self.read_everywhere()
        self.assertRegex(answers[first], r"^(refused|unknown): ")
        others = [node for node in NODES if node != first]
        second = self.elected(others)
        self.put("colour", "blue", at=second)
        answers = self.read_everywhere()
        self.assertRegex(answers[first], r"^(refused|unknown): ")
        self.assertEqual([answers[node] for node in others], ["colour = blue"] * 2)
        self.assertEqual(self.map(first), "colour = green", "it has heard of nothing")

        self.find(f"#n{first} .cut").click()
        self.elected()
        self.wait("the one that was cut off has caught up", lambda: self.map(first) == "colour = blue")
        self.assertEqual(self.read_everywhere(), dict.fromkeys(NODES, "colour = blue"))

    def test_the_page_is_opened_again(self):
        self.put("colour", "green", at=self.elected())
        term = int(self.text("#n1 .term"))
        self.driver.get("about:blank")
        self.driver.get(self.address)
        self.elected()
        self.wait("all have applied the log anew", lambda: all(self.map(node) == "colour = green" for node in NODES))
        self.assertGreater(int(self.text("#n1 .term")), term, "terms go on from where they were")

    def test_a_second_page_waits_for_the_databases(self):
        self.put("colour", "green", at=self.elected())
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.driver.get(self.address)
        waits = "waits for its database: is the page open in another tab?"
        self.wait("all three say what they wait for", lambda: self.text("#log").count(waits) == len(NODES))
        self.assertEqual([self.role(node) for node in NODES], ["starting"] * 3)
        second = self.driver.current_window_handle
        self.driver.switch_to.window(first)
        self.driver.close()
        self.driver.switch_to.window(second)
        self.elected()
        self.assertEqual(self.read_everywhere(), dict.fromkeys(NODES, "colour = green"))

    def test_a_write_that_fails_ends_the_node(self):
        first = self.elected()
        self.put("colour", "green", at=first)
        self.driver.execute_async_script(BREAK, f"fault at n{first}")
        self.fill("colour", "blue", at=first)
        self.find("#put button").click()
        self.wait("the write has failed", lambda: self.role(first) == "failed")
        self.assertIn(f"n{first} failed: a write failed: it was aborted", self.text("#log"))
        self.assertIn("colour = blue: unknown, ", self.text("#answer"))
        self.elected([node for node in NODES if node != first])
        self.start_all()
        self.elected()
        # The others may have had the entry, or not; what was not known is the same for all.
        answers = self.read_everywhere()
        self.assertIn(answers[first], ("colour = green", "colour = blue"))
        self.assertEqual(answers, dict.fromkeys(NODES, answers[first]))

    def test_a_database_that_is_taken_away_ends_the_node(self):
        self.put("colour", "green", at=self.elected())
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": self.address, "storageTypes": "indexeddb"})
        self.wait("all have failed", lambda: all(self.role(node) == "failed" for node in NODES))
        # All three at once: a new cluster.
        self.start_all()
        self.elected()
        self.assertEqual(self.read_everywhere(), dict.fromkeys(NODES, "nothing"))

    def test_light_and_dark_can_be_read(self):
        leader = self.elected()
        self.find(f"#n{next(node for node in NODES if node != leader)} .power").click()
        for theme in ("light", "dark"):
            self.theme(theme)
            self.assertEqual(self.driver.execute_script(CONTRAST, LEAST_CONTRAST), [], theme)
            self.assertLessEqual(self.driver.execute_script("return document.documentElement.scrollWidth"), 1280)


if __name__ == "__main__":
    unittest.main(verbosity=2)
