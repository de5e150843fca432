/** A row of tabs and the panel of the chosen one (WAI-ARIA tabs pattern: arrows move and choose, Home and End jump). */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";

export interface Tab<T extends string> {
  id: T;
  label: string;
  /** A short count or state behind the label. */
  badge?: string;
}

export function Tabs<T extends string>(props: {
  label: string;
  tabs: readonly Tab<T>[];
  selected: Signal<T>;
  children: ComponentChildren;
  class?: string;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const { tabs, selected } = props;
  const current = tabs.some((t) => t.id === selected.value) ? selected.value : tabs[0].id;
  const onKeyDown = (e: KeyboardEvent): void => {
    const at = tabs.findIndex((t) => t.id === current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    const next = (to + tabs.length) % tabs.length;
    selected.value = tabs[next].id;
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class={`tabs ${props.class ?? ""}`}>
      <div class="tablist" role="tablist" aria-label={props.label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map((t) => (
          <button
            key={t.id}
            type="button"
            role="tab"
            id={`${id}-${t.id}`}
            aria-selected={t.id === current}
            aria-controls={`${id}-panel`}
            tabIndex={t.id === current ? 0 : -1}
            data-testid={`tab-${t.id}`}
            onClick={() => {
              selected.value = t.id;
            }}
          >
            {t.label}
            {t.badge ? <span class="badge">{t.badge}</span> : null}
          </button>
        ))}
      </div>
      <div class="tabpanel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current}`} tabIndex={0}>
        {props.children}
      </div>
    </div>
  );
}
