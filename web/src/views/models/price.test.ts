import { describe, expect, it } from "vitest";
import { cost, dollars, fits, rate } from "./price";

describe("prices", () => {
  it("are for a million tokens", () => {
    expect(cost({ input: 2.5, output: 15 }, 1_000_000, 1_000_000)).toBe(17.5);
    expect(cost({ input: 0.25, output: 2 }, 1200, 640)).toBeCloseTo(0.00158);
  });
  it("are written short and exact", () => {
    expect([rate(0), rate(15), rate(0.25), rate(0.0725)]).toEqual(["$0.00", "$15.00", "$0.25", "$0.0725"]);
    expect([dollars(0), dollars(0.00158), dollars(0.0000021), dollars(1234.5)]).toEqual(["$0", "$0.00158", "$0.00000210", "$1,234.50"]);
  });
  it("are found by parts of their names", () => {
    const price = { provider: "openai", model: "gpt-5.4-mini", input: 1, output: 1, source: "builtin" as const, as_of: null };
    expect([fits(price, "GPT mini"), fits(price, "openai"), fits(price, "qwen"), fits(price, "")]).toEqual([true, true, false, true]);
  });
});
