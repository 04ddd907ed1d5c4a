// Keeps the newest word on the screen until the reader scrolls away from it.

import { useCallback, useEffect, useRef, useState } from "react";

const NEAR_END_PX = 64;

export interface Follow {
  scroller: React.RefObject<HTMLDivElement | null>;
  content: React.RefObject<HTMLDivElement | null>;
  following: boolean;
  toEnd: () => void;
  /** The reader went elsewhere by other means than scrolling. */
  letGo: () => void;
  /** Something else than the reader moved the view to here. */
  moved: (top: number) => void;
}

export function useFollow(): Follow {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const follow = useRef(true);
  const lastTop = useRef(0);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    follow.current = true;
    setFollowing(true);
    box.scrollTop = box.scrollHeight;
    lastTop.current = box.scrollTop;
  }, []);
  const letGo = useCallback(() => {
    follow.current = false;
    setFollowing(false);
  }, []);
  const moved = useCallback((top: number) => { lastTop.current = top; }, []);

  useEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (!box || !inner) return;
    const stick = () => {
      if (!follow.current) return;
      box.scrollTop = box.scrollHeight;
      lastTop.current = box.scrollTop;
    };
    const onScroll = () => {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
      // Only a move upward is the reader's wish to stay; content growing below is not, nor is a correction
      // above, which has said so.
      if (box.scrollTop < lastTop.current - 2) follow.current = atEnd && follow.current;
      else if (atEnd) follow.current = true;
      lastTop.current = box.scrollTop;
      setFollowing(follow.current);
    };
    const observer = new ResizeObserver(stick);
    observer.observe(inner);
    observer.observe(box);
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", onScroll);
    };
  }, []);
  return { scroller, content, following, toEnd, letGo, moved };
}
