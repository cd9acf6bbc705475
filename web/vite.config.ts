// One script that a browser loads from a folder as well as from a server: no modules, no other host.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig, type Plugin } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(here, "../zbench/report/site/assets");
// What the bundle is made of; tests/unit/test_site_assets.py computes the same digest.
const SOURCES = ["package.json", "tsconfig.json", "vite.config.ts", "index.html", "src"];

function files(place: string): string[] {
  return statSync(place).isDirectory() ? readdirSync(place).flatMap((name) => files(join(place, name))) : [place];
}

function digest(paths: string[], root: string): string {
  const hash = createHash("sha256");
  const named = paths.map((path) => [relative(root, path).split(sep).join("/"), path] as const);
  for (const [name, path] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\n${createHash("sha256").update(readFileSync(path)).digest("hex")}\n`);
  }
  return hash.digest("hex");
}

/** Name the packages that the bundle holds a part of, with the licence of each. */
function licences(modules: Iterable<string>): string {
  const packages = new Map<string, string>();
  for (const id of modules) {
    const found = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(id.replaceAll("\\", "/").replace(/^\0/, ""));
    if (found?.[1] && found[2]) packages.set(found[2], found[1]);
  }
  const parts = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, place]) => {
    const facts = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
    const file = ["LICENSE", "LICENSE.md", "license"].map((one) => join(place, one)).find(existsSync);
    const text = file ? readFileSync(file, "utf8").trim() : `Licence: ${facts.license}`;
    return `## pkg:npm/${name.replace("@", "%40")}@${facts.version}\n\n${text}\n`;
  });
  return `# Licences of what app.js and app.css hold parts of\n\n${parts.join("\n")}`;
}

function beside(): Plugin {
  return {
    name: "beside",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((one) => (one.type === "chunk" ? Object.keys(one.modules) : []));
      this.emitFile({ type: "asset", fileName: "LICENSES.md", source: licences([...modules, join(here, "node_modules/uplot/x")]) });
      this.emitFile({ type: "asset", fileName: "index.html", source: readFileSync(join(here, "index.html")) });
    },
    writeBundle(_, bundle) {
      const sources = digest(SOURCES.flatMap((name) => files(join(here, name))), here);
      const built = digest(Object.keys(bundle).filter((name) => name !== "BUILT.json").map((name) => join(output, name)), output);
      writeFileSync(join(output, "BUILT.json"), `${JSON.stringify({ sources, built }, null, 2)}\n`);
    },
  };
}

export default defineConfig({
  root: here,
  plugins: [vue(), beside()],
  define: { "process.env.NODE_ENV": '"production"', __VUE_OPTIONS_API__: "false", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false" },
  build: {
    outDir: output,
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    reportCompressedSize: false,
    lib: { entry: join(here, "src/main.ts"), formats: ["iife"], name: "zbenchDashboard", fileName: () => "app.js", cssFileName: "app" },
    rollupOptions: { output: { footer: "\n" } },
  },
});
