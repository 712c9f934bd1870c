"""The configuration that Allure 3 makes the page with, and the categories that both Allures sort results into."""

import json
from typing import Final

from pytest_spiral.model.judgement import Judgement
from pytest_spiral.render import words
from pytest_spiral.render.escape import visible

CATEGORIES: Final = (
    ("Limit not met", ("failed",), "fail"),
    ("Invalid evidence", ("broken",), "invalid"),
    ("Inconclusive", ("failed", "skipped"), "inconclusive"),
    ("Not run", ("failed", "skipped"), "not-run"),
    ("Hardware required", ("skipped",), "hardware-required"),
    ("Environment-limited", ("skipped",), "environment-limited"),
    ("Inapplicable", ("skipped",), "inapplicable"),
)
"""Name, statuses, and the word that the message of such a result begins with; the first that matches counts."""

_HARDWARE: Final = "hardware-required"


def _rule(name: str, word: str) -> str:
    """A category by labels, which Allure 3 matches; hardware is a cause, not a verdict of its own."""
    outcome = "environment-limited" if word == _HARDWARE else word
    cause = ", cause: /^hardware$/" if word == _HARDWARE else ""
    matchers = f"{{ labels: {{ layer: /^acceptance$/, outcome: /^{outcome}$/{cause} }} }}"
    return f'      {{ name: "{name}", matchers: {matchers}, groupBy: BY_GATE, groupByMessage: false, expand: true }},'


ALLURERC: Final = """\
// Allure 3 configuration for the results of pytest-spiral: stages, gates and criteria as the tree, verdicts as
// categories, one self-contained page. Use: allure generate --config allurerc.mjs RESULTS
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const NAME = "Release evidence";
const BY_GATE = [{ label: "gate" }, "owner"];

// Allure's page loads an analytics script when it is opened. Evidence is read offline, so it is taken out once the
// page is written; where that does not succeed, the command fails and says so.
const ANALYTICS = /<script async src="https:\\/\\/www\\.googletagmanager\\.com[^>]*><\\/script>\\s*<script>[\\s\\S]*?<\\/script>/g;

function outputFolder(argv) {
  const at = argv.findIndex((one) => one === "-o" || one === "--output");
  const joined = argv.find((one) => one.startsWith("--output="));
  return at >= 0 ? argv[at + 1] : joined ? joined.slice("--output=".length) : "allure-report";
}

process.on("exit", () => {
  const folder = outputFolder(process.argv);
  if (!existsSync(folder)) return;
  const pages = readdirSync(folder, { recursive: true }).filter((one) => one.endsWith("index.html"));
  for (const page of pages.map((one) => join(folder, one))) {
    const text = readFileSync(page, "utf8").replace(ANALYTICS, "");
    writeFileSync(page, text);
    if (text.includes("googletagmanager.com/gtag")) {
      console.error(`${page} still loads an analytics script`);
      process.exitCode = 1;
    }
  }
});

export default {
  name: NAME,
  plugins: {
    awesome: {
      options: {
        reportName: NAME,
        singleFile: true,
        reportLanguage: "en",
        groupBy: ["epic", "feature", "story"],
        defaultSortBy: "name,asc",
      },
    },
  },
  categories: {
    rules: [
@RULES@
    ],
  },
};
""".replace("@RULES@", "\n".join(_rule(name, word) for name, _, word in CATEGORIES))
"""Text of `allurerc.mjs`, for any results."""


def allurerc(judgement: Judgement) -> str:
    """Render `allurerc.mjs` for one run: the page's name is the decision, beside which no rate of success counts."""
    name = visible(f"{words.overall_words(judgement)}: {words.scope_words(judgement)}")
    return ALLURERC.replace('const NAME = "Release evidence";', f"const NAME = {json.dumps(name)};")
