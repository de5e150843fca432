/**
 * Markdown as elements. Lesson files are data: no HTML of theirs reaches the page (its source is shown as text), there are no
 * images, and links lead to events of the run (`show:`), to places in the page or, without this page's address, to http(s).
 */
import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren, VNode } from "preact";
import { useMemo } from "preact/hooks";

interface Props {
  text: string;
  /** Follows a link `show:EXPRESSION`. Without it such links are text. */
  onShow?: (expression: string) => void;
  /** No paragraphs: for a line within something else. */
  inline?: boolean;
}

export function Markdown({ text, onShow, inline }: Props): VNode {
  const tokens = useMemo(() => lexer(text), [text]);
  const only = tokens.length === 1 && tokens[0].type === "paragraph" ? (tokens[0] as Tokens.Paragraph) : undefined;
  return inline && only ? <span>{render(only.tokens, onShow)}</span> : <div class="md">{render(tokens, onShow)}</div>;
}

function render(tokens: readonly Token[] | undefined, onShow: Props["onShow"]): ComponentChildren {
  return tokens?.map((token) => element(token, onShow));
}

function element(token: Token, onShow: Props["onShow"]): ComponentChildren {
  const inner = (): ComponentChildren => render((token as Tokens.Generic).tokens, onShow);
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{inner()}</p>;
    case "heading":
      return <h3>{inner()}</h3>;
    case "strong":
      return <strong>{inner()}</strong>;
    case "em":
      return <em>{inner()}</em>;
    case "del":
      return <del>{inner()}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "code":
      return <pre class="block">{(token as Tokens.Code).text}</pre>;
    case "blockquote":
      return <blockquote>{inner()}</blockquote>;
    case "br":
      return <br />;
    case "hr":
      return <hr />;
    case "list":
      return list(token as Tokens.List, onShow);
    case "table":
      return table(token as Tokens.Table, onShow);
    case "link":
      return link(token as Tokens.Link, inner(), onShow);
    case "image":
      return (token as Tokens.Image).text;
    case "escape":
      return (token as Tokens.Escape).text;
    case "text":
      return (token as Tokens.Text).tokens ? inner() : (token as Tokens.Text).text;
    default:
      // HTML, and whatever else there may be: its source, as text.
      return token.raw;
  }
}

function list(token: Tokens.List, onShow: Props["onShow"]): VNode {
  const items = token.items.map((item) => <li key={item.raw}>{render(item.tokens, onShow)}</li>);
  return token.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
}

function table(token: Tokens.Table, onShow: Props["onShow"]): VNode {
  return (
    <table>
      <thead>
        <tr>
          {token.header.map((cell) => (
            <th key={cell.text} scope="col">
              {render(cell.tokens, onShow)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {token.rows.map((row) => (
          <tr key={row.map((c) => c.text).join("|")}>
            {row.map((cell, i) => (
              <td key={token.header[i].text}>{render(cell.tokens, onShow)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function link({ href }: Tokens.Link, text: ComponentChildren, onShow: Props["onShow"]): ComponentChildren {
  if (href.startsWith("show:") && onShow)
    return (
      <button type="button" class="link" onClick={() => onShow(decodeURI(href.slice("show:".length)))}>
        {text}
      </button>
    );
  if (/^#[\w-]*$/.test(href)) return <a href={href}>{text}</a>;
  if (!/^https?:\/\//i.test(href)) return text;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {text}
    </a>
  );
}
