"""The page that `replay --html` writes, in a real browser.

    cargo build --release -p raft-sim && cargo build --release --example miscount
    python3 tests/page/test_page.py

needs Chromium, its driver and Selenium (Debian: chromium chromium-driver python3-selenium). SIM and MISCOUNT name the
two programs if they are somewhere else.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SIM = os.environ.get("SIM", str(BUILT / "raft-sim"))
MISCOUNT = os.environ.get("MISCOUNT", str(BUILT / "examples" / "miscount"))

# However long the run, so many elements stand for what is in sight.
MOST_ELEMENTS = 2500
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
  if (!own || !at.getClientRects().length || at.closest("script, noscript, dialog:not([open])")) continue;
  const [one, other] = [luminance(parts(getComputedStyle(at).color)), luminance(ground(at))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < arguments[0]) bad.push(`${at.tagName}.${at.className} ${contrast.toFixed(1)}: ${at.textContent.slice(0, 40)}`);
}
return bad;
"""


def written(program, words, path):
    """Runs a replay and writes its page; the exit status of the run."""
    ended = subprocess.run([program, "replay", *words, "--html", str(path)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode in (0, 1), f"{program} replay {words} fails"
    return ended.returncode


def data(path):
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">\n(.*?)\n</script>', text, re.DOTALL)
    return json.loads(found.group(1))


def browser():
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return driver


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.room.name)
        cls.violated = cls.folder / "violated.html"
        seeds = (seed for seed in range(1, 20) if written(MISCOUNT, [str(seed)], cls.violated) == 1)
        cls.seed = next(seeds)
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        cls.room.cleanup()

    def setUp(self):
        self.theme("light")

    def tearDown(self):
        complaints = [entry["message"] for entry in self.driver.get_log("browser")]
        self.assertEqual(complaints, [], "the console is empty")

    def open(self, path, fragment=""):
        # Another fragment alone would not open it anew.
        self.driver.get("about:blank")
        self.driver.get(f"file://{path}{fragment}")
        self.settle()

    def settle(self):
        """Waits for two frames: what was asked for is painted."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));")

    def theme(self, name):
        wish = {"features": [{"name": "prefers-color-scheme", "value": name}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)

    def press(self, *keys):
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)
        self.settle()

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def cursor(self):
        return int(self.find(".row.cursor").get_attribute("id").removeprefix("row-"))

    def elements(self):
        return self.driver.execute_script("return document.querySelectorAll('*').length")

    # ----- what is seen -----

    def test_it_opens_at_the_violation(self):
        self.open(self.violated)
        self.assertEqual(self.text("#property"), "machine-invariant")
        self.assertIn("the count is 121", self.text("#witness"))
        self.assertIn("VIOLATION", self.text("#sentence"))
        self.assertIn("violation", self.find(".row.cursor").get_attribute("class"))
        self.assertIn(f"replay {self.seed} ", self.text("#again"))
        self.assertTrue(self.find(".row.cursor").is_displayed())

    def test_a_clean_run_says_so(self):
        path = self.folder / "clean.html"
        self.assertEqual(written(SIM, ["1", "--profile", "calm"], path), 0)
        self.open(path)
        self.assertIn("Nothing was violated", self.text("#verdict"))
        self.assertEqual(self.cursor(), 0)

    def test_words_of_a_machine_are_words(self):
        self.open(self.violated)
        self.assertIn('</script><b id="hurt">', self.text("#witness"))
        self.press("/", *"onerror", Keys.ENTER)
        self.assertIn("<img id=hurt src=x onerror=alert(1)>", self.text("#sentence"))
        self.assertEqual(self.all("#hurt"), [])

    def test_nothing_is_asked_of_the_network(self):
        self.driver.get_log("performance")
        self.open(self.violated)
        self.press("j", "k", "i")
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        strangers = [url for url in asked if not url.startswith((f"file://{self.violated}", "about:", "data:"))]
        self.assertEqual(strangers, [])

    def test_light_and_dark_can_be_read(self):
        for theme in ("light", "dark"):
            self.theme(theme)
            self.open(self.violated)
            self.assertEqual(self.driver.execute_script(CONTRAST, LEAST_CONTRAST), [], theme)
            self.press("I", "I", "I", "l")
            self.assertEqual(self.driver.execute_script(CONTRAST, LEAST_CONTRAST), [], f"{theme}, with the legend")

    def test_up_to_seven_nodes_fit(self):
        wanted = {3, 5, 7}
        for seed in range(1, 60):
            path = self.folder / "some.html"
            written(SIM, [str(seed)], path)
            count = len(data(path)["run"]["nodes"])
            if count not in wanted:
                continue
            wanted.discard(count)
            self.open(path, "#e=2000")
            self.assertLessEqual(self.driver.execute_script("return document.documentElement.scrollWidth"), 1280)
            for place in ("#panel", "#tools", "#verdict"):
                wide = self.driver.execute_script(
                    "const at = document.querySelector(arguments[0]); return at.scrollWidth - at.clientWidth", place)
                self.assertLessEqual(wide, 0, f"{place} of {count} nodes")
            if not wanted:
                return
        self.fail(f"no runs of {wanted} nodes")

    # ----- what is done -----

    def test_stepping_forward_and_back(self):
        self.open(self.violated)
        end, nodes = self.cursor(), self.text("#nodes")
        self.press(*"k" * 60)
        self.assertLess(self.cursor(), end)
        self.assertNotEqual(self.text("#nodes"), nodes, "the states are others")
        there = [self.cursor(), self.text("#nodes"), self.text("#grid"), self.text("#history")]
        self.press("k", "j", Keys.ARROW_UP, Keys.ARROW_DOWN)
        self.assertEqual([self.cursor(), self.text("#nodes"), self.text("#grid"), self.text("#history")], there,
                         "a step back undoes a step")
        self.press(Keys.HOME)
        self.assertEqual(self.cursor(), 0)
        self.press("v")
        self.assertEqual(self.cursor(), end)
        self.press("g", *"0.5", Keys.ENTER)
        self.assertGreaterEqual(float(self.text(".row.cursor .time")), 0.5)

    def test_steps_to_what_is_of_note_and_at_one_node(self):
        self.open(self.violated, "#e=0")
        self.press("i")
        seen = set()
        for _ in range(12):
            seen.add(self.text("#sentence"))
            self.press("i")
        self.assertTrue(any("ELECTED" in text for text in seen), seen)
        before = self.cursor()
        self.press("I")
        self.assertLess(self.cursor(), before)
        self.open(self.violated, "#e=0&hide=")
        for _ in range(6):
            self.press("n")
            self.assertIn("n1", self.text("#sentence"))

    def long_chain(self):
        """Goes to an election by other nodes' votes: its chain goes back to the timer that began it."""
        for nth in range(1, 20):
            # The search goes on from the cursor: to the first election in the run, and on to the next.
            self.press("/", *"IS ELECTED", Keys.ENTER, Keys.ESCAPE)
            causes = self.all("#why .event-link")
            if len(causes) > 4:
                return causes
        self.fail(f"none of {nth} elections has more than 4 causes")

    def test_the_chain_of_causes(self):
        self.open(self.violated)
        self.assertGreaterEqual(len(self.all("#why .event-link")), 1, "the violation has a cause")
        causes = self.long_chain()
        self.assertGreater(len(self.all(".row.chain")), 1, "the chain is marked in the lanes")
        words = causes[0].text
        causes[0].click()
        self.settle()
        self.assertIn(self.text("#sentence"), words)
        # By the keyboard: to the list, and on from cause to cause.
        first = self.cursor()
        self.press("w", Keys.ENTER)
        second = self.cursor()
        self.press(Keys.ENTER)
        self.assertTrue(first > second > self.cursor(), "each cause is earlier")
        third = self.cursor()
        self.press("b")
        self.assertLess(self.cursor(), third)
        self.press(Keys.ESCAPE, "j")

    def test_search(self):
        self.open(self.violated)
        self.press("/", *"IS ELECTED", Keys.ENTER)
        self.assertIn("IS ELECTED", self.text("#sentence"))
        self.assertRegex(self.text("#found"), r"\d+ of \d+ rows")
        self.press(Keys.ESCAPE, "/", *"no such words")
        time.sleep(0.3)
        self.assertEqual(self.text("#found"), "0 rows")

    def test_filters_hide_rows_and_keep_the_cursor(self):
        self.open(self.violated, "#e=300&hide=")
        start = self.cursor()
        self.assertTrue(self.all(".row.of-messages"))
        self.find("[data-chip='messages']").click()
        self.settle()
        self.assertEqual(self.all(".row.of-messages"), [])
        self.find("[data-chip='messages']").click()
        self.settle()
        self.assertEqual(self.cursor(), start)
        self.press(Keys.ESCAPE, "f", Keys.SPACE)
        self.assertEqual(self.find("[data-chip='node 1']").get_attribute("aria-pressed"), "true")
        concerned = [row.get_attribute("title") for row in self.all(".row")]
        self.assertTrue(concerned and all("n1" in text or "FAULT" in text for text in concerned), concerned)

    def test_the_address_keeps_the_moment(self):
        self.open(self.violated)
        self.press(*"kkkkk", "h")
        there = self.cursor()
        time.sleep(0.5)
        self.assertIn(f"#e={there}&hide=", self.driver.current_url)
        chips = [chip.get_attribute("aria-pressed") for chip in self.all(".chip")]
        self.driver.refresh()
        self.settle()
        self.assertEqual(self.cursor(), there)
        self.assertEqual([chip.get_attribute("aria-pressed") for chip in self.all(".chip")], chips)

    def test_help_and_legend_open_and_close_by_keys(self):
        self.open(self.violated)
        for key, name in (("?", "help"), ("l", "legend")):
            self.press(key)
            self.assertTrue(self.find(f"#{name}").is_displayed())
            self.press(Keys.ESCAPE)
            self.assertFalse(self.find(f"#{name}").is_displayed())
        cursor = self.cursor()
        self.press("k")
        self.assertLess(self.cursor(), cursor, "the rows have the keys again")

    def test_everything_can_be_reached_by_tab(self):
        self.open(self.violated)
        reached = set()
        for _ in range(140):
            self.press(Keys.TAB)
            at = self.driver.switch_to.active_element
            reached.add(self.driver.execute_script(
                "return (arguments[0].closest('[id]') || {}).id || ''", at))
        self.assertLessEqual({"query", "filter-nodes", "filter-kinds", "goto-time", "scroller", "why", "grid"}, reached)

    def test_a_hundred_thousand_events_stay_light(self):
        path = self.folder / "long.html"
        written(SIM, ["1", "--profile", "bench"], path)
        self.assertGreater(len(data(path)["events"]["at"]), 100_000)
        self.open(path, "#e=50000")
        most = self.driver.execute_async_script("""
            const done = arguments[0];
            const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            let most = 0;
            let steps = 0;
            const step = () => {
              press(steps % 4 === 3 ? "k" : "j");
              most = Math.max(most, document.querySelectorAll("*").length);
              steps += 1;
              if (steps < 200) requestAnimationFrame(step);
              else done(most);
            };
            step();""")
        self.assertLess(most, MOST_ELEMENTS)
        self.assertGreater(self.cursor(), 50_000)
        most = self.driver.execute_async_script("""
            const done = arguments[0];
            const scroller = document.getElementById("scroller");
            let most = 0;
            let place = 0;
            const step = () => {
              scroller.scrollTop = scroller.scrollHeight * place / 200;
              most = Math.max(most, document.querySelectorAll("*").length);
              place += 1;
              if (place <= 200) requestAnimationFrame(step);
              else done(most);
            };
            step();""")
        self.assertLess(most, MOST_ELEMENTS)
        self.assertTrue(self.all(".row"), "rows are in sight at the end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
