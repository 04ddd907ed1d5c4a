// The sign of an agent or group: an emoji, a picture that is carried with it, else its first letter.

export function Avatar({ mark, name }: { mark?: string; name: string }) {
  if (mark?.startsWith("data:image/")) return <img src={mark} alt="" />;
  // Pictures of other servers are not loaded: the page's policy lets it reach its own server only.
  const text = mark && !/^https?:/.test(mark) ? mark : [...name.trim()][0]?.toUpperCase() ?? "?";
  return <>{text}</>;
}
