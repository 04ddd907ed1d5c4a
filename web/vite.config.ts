import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// In development the page is served by Vite and everything else by a Sluice server (or the fake one).
const server = process.env.SLUICE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/ui/",
  plugins: [react()],
  resolve: {
    alias: {
      "@sluice/client": fileURLToPath(new URL("./client/index.js", import.meta.url)),
      "@": fileURLToPath(new URL("./src", import.meta.url)),
    },
  },
  worker: { format: "es" },
  build: {
    target: "es2022",
    // For budget.mjs: what the first load brings with it.
    manifest: true,
    // The polyfill would be one more script for browsers that the target already leaves out.
    modulePreload: { polyfill: false },
    // Inlined assets would need data: in the content-security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: {
      "/api": { target: server },
      "/ws": { target: server, ws: true },
    },
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.ts", "client/**/*.test.ts"],
  },
});
