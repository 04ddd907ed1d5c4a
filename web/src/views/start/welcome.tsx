// The first visit: what this is, and one click to see it.

import { useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import { client } from "@/client/http";
import { errorText, inputTitle } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { toast } from "@/ui/kit/toast";
import { readForm, valuesFrom } from "@/ui/schema-form";
import { dict, useWords } from "@/words/words";
import { newKey, startRun } from "./run";
import { loadSource, type SourceRef } from "./source";
import { startWords } from "./words";

const words = dict({
  en: {
    title: "Welcome to Sluice", what: "Several models work on one question, as a workflow says: they debate, vote, check, write.",
    watch: "You watch every word as it comes. Nothing is lost by a reload, a crash or a restart.",
    charge: "You stay in charge: pause in mid-sentence, correct, answer when you are asked, look back at every step.",
    start: "Start the demo council", starting: "Starting…", next: "Three voices debate a question, a judge decides, and you have the last word. Then watch, pause, answer.",
    demo: "The built-in demo model speaks: it needs no key and costs nothing.", models: "Use real models", none: "There is no demo on this server. Choose what to run below.",
    hint: "This is live. You can pause it at any time; at the end it asks you.", topic: "Should our team move to a four-day week?",
  },
  zh: {
    title: "欢迎使用 Sluice", what: "多个模型按照流程共同处理一个问题：辩论、投票、核查、写作。",
    watch: "你可以实时看到每一个字。刷新、崩溃或重启都不会丢失任何内容。",
    charge: "一切由你掌控：在句子中间暂停、纠正、在被询问时答复、回看每一步。",
    start: "启动演示会议", starting: "正在启动…", next: "三方辩论一个问题，一位裁判作出决定，最后由你拍板。然后：观看、暂停、答复。",
    demo: "由内置的演示模型发言：无需密钥，也不收费。", models: "使用真实模型", none: "此服务器上没有演示内容，请在下方选择要运行的内容。",
    hint: "这是实时画面。你可以随时暂停；最后它会询问你。", topic: "我们的团队应该改为每周工作四天吗？",
  },
});

export const DEMO = "council-debate";

async function startDemo(ref: SourceRef, topic: string, key: string, mayMake: boolean): Promise<string> {
  const source = await loadSource(ref);
  const schema = source.workflow.input_schema;
  const { data } = readForm(schema, valuesFrom(schema));
  const input = schema?.properties?.topic ? { ...data, topic: typeof data.topic === "string" && data.topic ? data.topic : topic } : data;
  const name = inputTitle(input)?.slice(0, 120);
  return startRun(source, {}, { input, ...(name ? { name } : {}) }, key, mayMake);
}

export function Welcome({ demo }: { demo?: SourceRef }) {
  const w = useWords(words);
  const s = useWords(startWords);
  const may = useMay();
  const key = useRef(newKey());
  const [starting, setStarting] = useState(false);
  const [error, setError] = useState<string>();
  const providers = useQuery({ queryKey: ["providers"], queryFn: ({ signal }) => client.listProviders({}, { signal }) });
  const isDemo = providers.data?.items[0]?.dialect === "demo";
  const begin = async () => {
    setStarting(true);
    setError(undefined);
    try {
      go(href.session(await startDemo(demo!, w.topic, key.current, may("editor"))));
      toast(w.hint);
    } catch (err) {
      setError(errorText(err));
      setStarting(false);
    }
  };
  return (
    <section className="welcome" aria-labelledby="welcome-title" data-testid="welcome">
      <div>
        <h2 id="welcome-title">{w.title}</h2>
        <ul><li><Icon name="group" />{w.what}</li><li><Icon name="eye" />{w.watch}</li><li><Icon name="pause" />{w.charge}</li></ul>
      </div>
      <div className="welcome-go">
        {demo ? (
          <button type="button" className="primary large" disabled={starting || !may("operator")} onClick={() => void begin()} data-testid="start-demo">
            {starting ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={14} />}{starting ? w.starting : w.start}
          </button>
        ) : <p>{w.none}</p>}
        {demo && <p>{may("operator") ? w.next : s.viewer}</p>}
        {demo && isDemo && <p className="faint">{w.demo} <a href={href.models()}>{w.models}</a></p>}
        {error && <p className="field-error" role="alert"><Icon name="warn" size={13} />{error}</p>}
      </div>
    </section>
  );
}
