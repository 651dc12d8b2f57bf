'use strict';
(() => {
  const {runs, keys, measures, series} = JSON.parse(document.getElementById('data').textContent);
  const $ = id => document.getElementById(id);
  const colours = 8;

  // el makes an element: attributes that begin with "on" are listeners, the rest are set as they are.
  function el(tag, attributes, ...children) {
    const svg = ['svg', 'path', 'line', 'circle', 'text', 'g'].includes(tag);
    const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
    for (const [k, v] of Object.entries(attributes || {})) {
      if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
      else if (v !== null && v !== undefined && v !== false) e.setAttribute(k, v);
    }
    e.append(...children.filter(c => c !== null && c !== undefined));
    return e;
  }

  // say writes a number with about four digits.
  function say(v) {
    if (v === null || v === undefined) return '–';
    if (typeof v !== 'number') return String(v);
    const size = Math.abs(v);
    if (Number.isInteger(v) && size < 1e9) return v.toLocaleString('en', {useGrouping: size >= 1e4});
    if (size >= 1e9 || size < 1e-3) return v.toExponential(3);
    return v.toLocaleString('en', {maximumSignificantDigits: Math.max(4, Math.floor(Math.log10(size)) + 1),
      useGrouping: size >= 1e4});
  }
  const instant = s => String(+s.toPrecision(9)) + ' s';
  const withUnit = (v, unit) => say(v) + (unit && v !== null ? (unit === '%' ? ' %' : ' ' + unit) : '');

  // labels name the runs: by their scenarios, where these have names of their own, and else by what differs.
  const unique = texts => new Set(texts).size === texts.length;
  const names = runs.map(r => r.name);
  const long = runs.map(r => [r.name, ...keys.map((k, j) => `${k.split('.').pop()} ${r.differ[j]}`)].join(', '));
  const labels = unique(names) ? names : unique(long) ? long : runs.map((r, i) => `${long[i]}, ${r.dir}`);

  // unpack reads what is known of one run. A run is unpacked once.
  const unpacked = new Map();
  function unpack(i) {
    if (!unpacked.has(i)) {
      const bytes = Uint8Array.from(atob($('run-' + i).textContent), c => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
      unpacked.set(i, new Response(stream).json());
    }
    return unpacked.get(i);
  }

  // ticks are about n round values from lo to hi.
  function ticks(lo, hi, n) {
    const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find(m => m * power >= raw);
    const all = [];
    for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + step * 1e-9; i++) all.push(+(i * step).toPrecision(12));
    return all;
  }

  // frame draws the axes of a plot and returns the scales.
  function frame(svg, width, height, x, y) {
    const left = 48, right = 8, top = 8, bottom = 36;
    const sx = v => left + (v - x.lo) / (x.hi - x.lo) * (width - left - right);
    const sy = v => height - bottom - (v - y.lo) / (y.hi - y.lo) * (height - top - bottom);
    for (const t of ticks(y.lo, y.hi, 5)) {
      svg.append(el('line', {class: 'grid', x1: left, x2: width - right, y1: sy(t), y2: sy(t)}),
        el('text', {x: left - 6, y: sy(t) + 4, 'text-anchor': 'end'}, say(t)));
    }
    for (const t of ticks(x.lo, x.hi, Math.max(2, width / 90))) {
      svg.append(el('line', {class: 'grid', x1: sx(t), x2: sx(t), y1: height - bottom, y2: height - bottom + 4}),
        el('text', {x: sx(t), y: height - bottom + 17, 'text-anchor': 'middle'}, say(t)));
    }
    svg.append(el('text', {x: width - right, y: height - 2, 'text-anchor': 'end'}, x.label));
    return {sx, sy, top, base: height - bottom, at: px => x.lo + (px - left) / (width - left - right) * (x.hi - x.lo)};
  }

  const dashes = ['', '6 3', '2 3', '8 3 2 3'];
  const look = n => ({stroke: `var(--c${n % colours})`, 'stroke-dasharray': dashes[n % dashes.length]});

  // overTime is a figure of lines over time. Its values are read with the mouse, a finger, or the arrow keys; Enter and
  // a click call choose with a time.
  function overTime(title, unit, lines, choose) {
    const readout = el('ul', {class: 'key', 'aria-live': 'polite'});
    const plot = el('div', {class: 'plot', tabindex: 0, role: 'group',
      'aria-label': `${title} over time: ${lines.map(l => l.name).join(', ')}. Arrow keys read values.`});
    const figure = el('figure', {}, el('figcaption', {}, el('b', {}, title), unit ? ` (${unit})` : ''), plot, readout);
    const ends = lines.map(l => l.t[l.t.length - 1] || 1);
    const x = {lo: 0, hi: Math.max(...ends), label: 'time (s)'};
    let top = 0;
    for (const l of lines) for (const v of l.v) if (v > top) top = v;
    const y = {lo: 0, hi: top * 1.05 || 1};
    let at = null, scales = null, cursor = null;

    const indexAt = (l, t) => { // the window that holds the instant
      let lo = 0, hi = l.t.length - 1;
      while (lo < hi) { const mid = (lo + hi) >> 1; if (l.t[mid] < t) lo = mid + 1; else hi = mid; }
      return lo;
    };
    function read() {
      readout.replaceChildren(...(at === null ? [] : [el('li', {}, `at ${instant(+at.toPrecision(4))}`)]), ...lines.map((l, n) => {
        const sample = el('svg', {viewBox: '0 0 24 8', 'aria-hidden': 'true'},
          el('line', {...look(n), x1: 0, x2: 24, y1: 4, y2: 4, 'stroke-width': 2}));
        const value = at === null ? '' : ': ' + (at > ends[n] ? '–' : say(l.v[indexAt(l, at)]));
        return el('li', {}, sample, ' ' + l.name + value);
      }));
      if (!scales) return;
      if (cursor) cursor.remove();
      cursor = at === null ? null :
        el('line', {class: 'mark', x1: scales.sx(at), x2: scales.sx(at), y1: scales.top, y2: scales.base});
      if (cursor) plot.firstChild.append(cursor);
    }
    function draw() {
      const width = Math.max(plot.clientWidth, 240), height = 200;
      const svg = el('svg', {viewBox: `0 0 ${width} ${height}`, height, 'aria-hidden': 'true'});
      scales = frame(svg, width, height, x, y);
      lines.forEach((l, n) => {
        let d = '', pen = 'M';
        l.v.forEach((v, i) => {
          if (v === null) { pen = 'M'; return; }
          const px = scales.sx(l.t[i]).toFixed(1), py = scales.sy(v).toFixed(1);
          d += l.step && pen === 'L' ? `H${px}V${py}` : `${pen}${px} ${py}`;
          pen = 'L';
        });
        svg.append(el('path', {class: 'series', d, ...look(n)}));
      });
      plot.replaceChildren(svg);
      read();
    }
    const move = t => { at = Math.min(Math.max(t, x.lo), x.hi); read(); };
    plot.addEventListener('pointermove', e => move(scales.at(e.clientX - plot.getBoundingClientRect().left)));
    plot.addEventListener('pointerleave', () => { at = null; read(); });
    plot.addEventListener('click', () => { if (at !== null && choose) choose(at); });
    plot.addEventListener('keydown', e => {
      const l = lines[0], i = at === null ? -1 : indexAt(l, at);
      const to = {ArrowRight: i + 1, ArrowLeft: i - 1, PageDown: i + 10, PageUp: i - 10, Home: 0, End: l.t.length - 1}[e.key];
      if (to !== undefined) move(l.t[Math.min(Math.max(to, 0), l.t.length - 1)]);
      else if (e.key === 'Enter' && at !== null && choose) choose(at);
      else return;
      e.preventDefault();
    });
    new ResizeObserver(() => requestAnimationFrame(draw)).observe(plot);
    read();
    return figure;
  }

  // panels lists the figures over time, each with the columns that it has.
  const panels = [...new Set(series.map(s => s.panel))].map(name => ({name,
    columns: series.map((s, n) => ({...s, n: n + 1})).filter(s => s.panel === name)}));

  // table is a table of rows under a head. Cells that are numbers stand to the right.
  function table(head, rows) {
    const cell = (tag, v, scope) => v instanceof Node ? el(tag, {scope}, v) :
      el(tag, {class: typeof v === 'number' ? 'n' : null, scope}, typeof v === 'number' ? say(v) : v ?? '–');
    return el('table', {}, el('thead', {}, el('tr', {}, ...head.map(h => cell('th', h, 'col')))),
      el('tbody', {}, ...rows.map(r => el('tr', {}, ...r.map((v, i) => i ? cell('td', v) : cell('th', v, 'row'))))));
  }

  // The table of all runs: sorted by a click on a head, filtered by words, with a box for each run to compare.
  const rows = [...document.querySelectorAll('#table tbody tr')];
  const picked = new Set();
  const mostPicked = colours;
  const visible = () => rows.filter(r => !r.hidden).map(r => +r.dataset.run);

  function sortable(th, of) {
    const text = el('span');
    text.append(...th.childNodes);
    th.append(el('button', {class: 'plain', onclick() {
      const down = th.getAttribute('aria-sort') === 'ascending';
      for (const o of th.parentNode.children) o.removeAttribute('aria-sort');
      th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      rows.sort((a, b) => {
        const [x, y] = [of(+a.dataset.run), of(+b.dataset.run)];
        if (x === null || y === null) return (x === null) - (y === null);
        const order = typeof x === 'number' ? x - y : x.localeCompare(y, 'en', {numeric: true});
        return down ? -order : order;
      });
      $('table').tBodies[0].append(...rows);
    }}, text));
  }

  function fill() {
    const ths = [...$('table').tHead.rows[0].cells];
    sortable(ths[1], i => runs[i].name + ' ' + runs[i].dir);
    keys.forEach((_, j) => sortable(ths[2 + j], i => runs[i].differ[j]));
    measures.forEach((_, j) => sortable(ths[2 + keys.length + j], i => runs[i].values[j]));
    for (const e of document.querySelectorAll('#table .pick')) e.hidden = runs.length < 2;
    for (const row of rows) {
      const i = +row.dataset.run, name = row.cells[1];
      const open = el('button', {class: 'plain', onclick: () => show(i, true)});
      open.append(name.firstChild);
      name.prepend(open);
      row.cells[0].append(el('input', {type: 'checkbox', 'aria-label': 'compare ' + labels[i], onchange(e) {
        if (e.target.checked && picked.size >= mostPicked) e.target.checked = false;
        else if (e.target.checked) picked.add(i); else picked.delete(i);
        beside();
      }}));
    }
    document.querySelector('#runs .controls').hidden = runs.length < 2;
    $('filter').addEventListener('input', filter);
    filter();
  }

  // A row is shown if it has every word; key=value asks for the key's value as a whole.
  function filter() {
    const words = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const r = runs[row.dataset.run];
      row.hidden = !words.every(w => {
        const [key, value] = w.split('=');
        if (value === undefined) return row.textContent.toLowerCase().includes(w);
        return keys.some((k, j) => k.toLowerCase().endsWith(key) && r.differ[j].toLowerCase() === value);
      });
    }
    $('shown').textContent = `${visible().length} of ${runs.length}`;
    scatter();
  }

  // scatter draws one measure of the runs that are shown against another.
  function scatter() {
    const known = measures.map((_, j) => runs.some(r => r.values[j] !== null));
    $('across').hidden = runs.length < 2 || !known.some(Boolean);
    if ($('across').hidden) return;
    if (!$('x').options.length) {
      for (const [select, first] of [['x', 0], ['y', 2]]) {
        measures.forEach((m, j) => known[j] && $(select).append(
          el('option', {value: j, selected: j === first ? '' : null}, m.name + (m.unit ? ` (${m.unit})` : ''))));
        $(select).addEventListener('change', scatter);
      }
    }
    const [jx, jy] = [+$('x').value, +$('y').value];
    const of = visible().filter(i => runs[i].values[jx] !== null && runs[i].values[jy] !== null);
    const range = j => {
      const all = of.map(i => runs[i].values[j]);
      const lo = Math.min(...all), hi = Math.max(...all), room = (hi - lo) * .06 || Math.abs(hi) * .1 || 1;
      return {lo: lo >= 0 ? Math.max(lo - room, 0) : lo - room, hi: hi + room,
        label: measures[j].name + (measures[j].unit ? ` (${measures[j].unit})` : '')};
    };
    const readout = el('p', {'aria-live': 'polite'}, 'Point at a dot, or reach it with the tabulator, to see its run.');
    const plot = el('div', {class: 'plot'});
    const figure = el('figure', {}, el('figcaption', {}, `${measures[jy].name} against ${measures[jx].name}`), plot, readout);
    $('scatter').replaceChildren(figure);
    if (!of.length) { readout.textContent = 'None of the runs shown has both numbers.'; return; }
    const width = Math.max(Math.min(plot.clientWidth, 720), 240), height = Math.round(width * .45) + 60;
    const svg = el('svg', {viewBox: `0 0 ${width} ${height}`, style: `max-width:${width}px`});
    const x = range(jx), y = range(jy);
    const {sx, sy} = frame(svg, width, height, x, y);
    for (const i of of) {
      const told = `${labels[i]}: ${measures[jx].name} ${withUnit(runs[i].values[jx], measures[jx].unit)}, ` +
        `${measures[jy].name} ${withUnit(runs[i].values[jy], measures[jy].unit)}`;
      const tell = () => { readout.textContent = told; };
      svg.append(el('circle', {class: 'dot', cx: sx(runs[i].values[jx]), cy: sy(runs[i].values[jy]), r: 5,
        fill: 'var(--c0)', 'fill-opacity': .8, tabindex: 0, role: 'button', 'aria-label': told, onpointerenter: tell,
        onfocus: tell, onclick: () => show(i, true), onkeydown: e => { if (e.key === 'Enter') show(i, true); }}));
    }
    plot.append(svg);
  }

  // beside draws the picked runs over each other, and their numbers against the first's.
  async function beside() {
    const some = [...picked].sort((a, b) => a - b);
    $('compare').hidden = runs.length < 2;
    $('compared').textContent = some.length ? `${some.length} runs are picked, of ${mostPicked} at most.` :
      'Pick runs in the table to see them here.';
    const all = await Promise.all(some.map(unpack));
    if (some.join() !== [...picked].sort((a, b) => a - b).join()) return; // picked anew meanwhile
    $('beside').replaceChildren(...(some.length ? panels : []).map(p => {
      const c = p.columns.length > 1 && p.name === 'Throughput' ? p.columns[1] : p.columns[0];
      return overTime(`${p.name}: ${c.name}`, c.unit, all.map((d, n) =>
        ({name: labels[some[n]], t: d.points[0], v: d.points[c.n], step: c.step})), null);
    }));
    const first = runs[some[0]];
    $('differences').hidden = some.length < 2;
    if (some.length < 2) return;
    $('differences').replaceChildren(table(['number', ...some.map(i => labels[i])], measures.map((m, j) => {
      const base = first.values[j];
      return [m.name + (m.unit ? ` (${m.unit})` : ''), ...some.map((i, n) => {
        const v = runs[i].values[j];
        if (v === null || n === 0 || base === null || base === 0) return say(v);
        const more = (v - base) / base * 100;
        const size = Math.abs(more).toFixed(Math.abs(more) < 10 ? 2 : 0);
        return +size ? `${say(v)} (${more > 0 ? '+' : '−'}${size} %)` : say(v);
      })];
    })));
  }

  // show opens a run.
  async function show(i, jump) {
    $('one').hidden = false;
    $('open').value = i;
    for (const row of rows) row.toggleAttribute('aria-current', +row.dataset.run === i);
    const d = await unpack(i);
    if (+$('open').value !== i) return;
    const box = el('div', {'aria-live': 'polite'});
    const window = t => decisions(d, t, box);
    const figures = el('div', {class: 'panels'}, ...panels.map(p => overTime(p.name, p.columns[0].unit, p.columns.map(c =>
      ({name: c.name, t: d.points[0], v: d.points[c.n], step: c.step})), window)));
    const mean = d.mean > 1 ? [el('p', {}, `Each point is the mean of ${d.mean} windows.`)] : [];
    const about = i => runs[i].ended ? [el('p', {class: 'bad'}, `This run did not reach its end: ${runs[i].ended}.`)] : [];
    $('detail').replaceChildren(...about(i), figures, ...mean, el('h3', {}, 'Decisions'), box,
      el('h3', {}, 'Where it comes from'), origin(runs[i], d), el('h3', {}, 'How to repeat it'), ...repeat(runs[i], d));
    window(d.decisions.length ? d.decisions[0][0] : 0);
    if (jump) $('one-h').scrollIntoView({block: 'start'});
  }

  // decisions lists those of the window that holds the instant t, with the candidates of each.
  function decisions(d, t, box) {
    const step = d.run.window_s;
    const n = Math.max(Math.ceil(t / step - 1e-9) - 1, 0), from = n * step, to = from + step;
    const within = x => x[0] > from - 1e-9 && x[0] <= to + 1e-9 && (n === 0 || x[0] > from + 1e-12);
    const here = d.decisions.filter(within);
    const go = t => { decisions(d, t, box); box.querySelector('button:enabled').focus(); };
    const before = [...d.decisions].reverse().find(x => x[0] <= from && !within(x));
    const after = d.decisions.find(x => x[0] > to + 1e-9);
    const button = (text, target) => el('button', {class: 'step', disabled: target ? null : '',
      onclick: () => go(target[0])}, text);
    const candidates = x => x[8].length === 0 ? '' : el('span', {}, ...Array.from({length: x[8].length / 3}, (_, k) => {
      const [instance, score, fits] = x[8].slice(3 * k, 3 * k + 3);
      const text = `${instance}: ${say(score)}${fits ? '' : ' (does not fit)'}`;
      return el(instance === x[4] ? 'b' : 'span', {}, text + (3 * k + 3 < x[8].length ? '; ' : ''));
    }));
    const rows = here.slice(0, 200).map(x => [instant(x[0]), d.words[x[1]], d.words[x[2]], x[3] < 0 ? '' : x[3],
      x[4] || '', x[5] === x[6] ? (x[5] || '') : `${x[5]} → ${x[6]}`, d.words[x[7]], candidates(x)]);
    box.replaceChildren(
      el('p', {class: 'controls'}, button('Earlier', before), button('Later', after),
        el('span', {}, `From ${instant(from)} to ${instant(to)}: ${here.length} of ${d.decisions.length + d.left} decisions. ` +
          'Click a figure, or press Enter on it, to choose another window.')),
      el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Decisions of the window'}, here.length ?
        table(['time', 'decision', 'policy', 'flow', 'instance', 'instances', 'reason', 'candidates: score'], rows) :
        el('p', {}, 'None.')));
    if (here.length > 200) box.append(el('p', {}, `The first 200 of ${here.length} are listed.`));
    if (d.left) box.append(el('p', {}, `${d.left} later decisions of the run are in its events.jsonl alone.`));
  }

  // origin says what made the record.
  function origin(r, d) {
    const list = el('dl');
    const item = (name, ...values) => values.filter(Boolean).forEach((v, n) =>
      list.append(el('dt', {}, n ? '' : name), el('dd', {}, String(v))));
    item('scenario', d.run.name);
    item('record', r.dir);
    item('plant', r.plant === 'sim' ? `simulated, ${r.engine} engine` : `hardware, ${r.engine}`);
    item('version', d.run.version);
    item('seed', String(d.run.seed));
    item('length', `${say(d.run.duration_s)} s, in windows of ${say(d.run.window_s)} s`);
    item('traffic', ...(d.run.traffic || []));
    item('left out', ...(d.run.skipped || []).map(s => `${s.n}: ${s.reason}`));
    item('inputs', ...(d.run.inputs || []).map(f => `${f.file} (${f.key}), ${say(f.bytes)} B, SHA-256 ${f.sha256}`));
    const c = d.run.conservation;
    item('conservation', `${c.holds ? 'holds' : 'is broken'}: ${say(c.checked)} balances, the worst off by ` +
      `${say(c.worst_packets)} packets${c.where ? ' (' + c.where + ')' : ''}`);
    if (d.run.little) item("Little's law", d.run.little.holds ? 'holds' : 'is broken at ' + d.run.little.where);
    item('notes', ...(d.run.notes || []));
    for (const [name, n] of Object.entries(d.run.totals.dropped)) if (n) item(`lost, ${name}`, `${say(n)} packets`);
    if (d.host) {
      item('ran', `${d.host.started}, ${say(d.host.wall_s)} s, ${say(d.host.cpu_s)} s of processor time`);
      item('machine', `${d.host.os}/${d.host.arch}, ${d.host.cpus} CPUs, ${d.host.cpu_model || ''} ${d.host.go}`);
    }
    return list;
  }

  // repeat says how the same record is made again.
  function repeat(r, d) {
    const copy = el('button', {onclick: () => {
      const blob = new Blob([d.scenario], {type: 'text/yaml'});
      const link = el('a', {href: URL.createObjectURL(blob), download: d.run.name + '.yaml'});
      link.click();
      URL.revokeObjectURL(link.href);
    }}, 'Save the scenario');
    const command = r.plant === 'sim' ? `smartinco run ${d.run.name}.yaml -o out/${d.run.name}` :
      `smartinco replay ${d.run.name}.yaml TESTBED.yaml -o out/${d.run.name}`;
    return [el('p', {}, 'The scenario below has every key with its value, and gives the same record with the version above' +
        (d.run.inputs ? ' and the same inputs.' : '.')), el('pre', {}, command), el('p', {class: 'controls'}, copy),
    el('details', {}, el('summary', {}, 'Scenario'), el('pre', {tabindex: 0, 'aria-label': 'The scenario as YAML'}, d.scenario))];
  }

  fill();
  runs.forEach((_, i) => $('open').append(el('option', {value: i}, labels[i])));
  $('open').addEventListener('change', e => show(+e.target.value));
  if (runs.length > 1) {
    const seen = new Set(); // the first of those that differ in the seed alone
    for (const row of rows) {
      const i = +row.dataset.run, kind = keys.map((k, j) => k === 'seed' ? '' : runs[i].differ[j]).join('\n');
      if (seen.has(kind) || seen.size === mostPicked) continue;
      seen.add(kind);
      row.cells[0].firstChild.checked = true;
      picked.add(i);
    }
    beside();
  }
  if (runs.length) show(0);
  let width = innerWidth;
  addEventListener('resize', () => { if (width !== innerWidth) { width = innerWidth; scatter(); } });
})();
