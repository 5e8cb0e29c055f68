"""The style sheet of the page: light and dark, from a phone's width up, without fonts or files of others."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d2127;--soft:#5a626d;--line:#d9d6cd;--faint:#eeebe3;
  --made:#0a5ad6;--base:#b3541e;--real:#22763b;--warn:#8a5a00;--warnback:#fff5dc}
@media (prefers-color-scheme:dark){:root{--paper:#14171c;--card:#1b1f26;--ink:#e8eaed;--soft:#a7afba;--line:#333a45;
  --faint:#242a33;--made:#7fb2ff;--base:#f0a066;--real:#7fd196;--warn:#f2c774;--warnback:#2b2412}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
  "DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:clamp(1.6rem,4.5vw,2.4rem);line-height:1.15;margin:.5rem 0 .4rem;letter-spacing:-.01em;text-wrap:balance}
h2{font-size:clamp(1.25rem,3vw,1.6rem);margin:3.2rem 0 .3rem;padding-top:1.2rem;border-top:3px solid var(--ink)}
h3{font-size:1.05rem;margin:2rem 0 .5rem}h4{font-size:1rem;font-weight:600;margin:0 0 .55rem;line-height:1.35}
h4 small{font-weight:400;color:var(--soft)}
p{margin:.5rem 0;max-width:46rem}.lead{font-size:1.1rem}.soft,.notes{color:var(--soft);font-size:.88rem}
.notes{padding-left:1.1rem;max-width:60rem}.notes li{margin:.15rem 0}
a{color:var(--made)}nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;list-style:none;padding:0;margin:.8rem 0}
code{font:.86em/1.4 ui-monospace,"DejaVu Sans Mono",monospace;background:var(--faint);padding:.05em .3em;
  border-radius:3px;overflow-wrap:anywhere}
.warn{border-left:4px solid var(--warn);background:var(--warnback);padding:.55rem .9rem;border-radius:0 6px 6px 0;
  margin:1.1rem 0;max-width:60rem}.warn ul{margin:.3rem 0;padding-left:1.1rem}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;margin:.9rem 0}
.scroll:focus-visible,summary:focus-visible,input:focus-visible{outline:3px solid var(--made);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.45rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}thead th{font-weight:600;color:var(--soft);vertical-align:bottom;
  white-space:normal}
th:first-child,.words{text-align:left}td.words{white-space:normal;min-width:12rem}
tbody th{font-weight:600;white-space:normal;min-width:8rem;max-width:15rem;overflow-wrap:anywhere;
  position:sticky;left:0;background:var(--card)}
td small,th small{display:block;color:var(--soft);font-size:.8rem;font-weight:400}
.who{display:inline-block}.who::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.5em}
.who.made::before{background:var(--made)}.who.base::before{border:2px solid var(--base)}
.who.real::before{border:2px solid var(--real)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:.9rem;margin:1rem 0}
.plots figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .8rem .5rem}
.plots figcaption{font-size:.85rem;color:var(--soft);min-height:4.2em}
.plots figcaption b{display:block;color:var(--ink);font-size:.98rem}
.plots svg{display:block;width:100%;max-width:430px;height:auto;margin:.3rem auto 0;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}
svg .tick,svg .way{fill:var(--soft);font-size:11px}svg .grid{stroke:var(--line)}
svg .mark{stroke:var(--real);stroke-width:1.5;stroke-dasharray:5 4}
svg .bar{stroke-width:2.5;stroke-linecap:round}svg .dot{stroke-width:2}
svg .bar.made{stroke:var(--made)}svg .dot.made{fill:var(--made);stroke:var(--made)}
svg .bar.base{stroke:var(--base)}svg .dot.base{fill:var(--card);stroke:var(--base)}
svg .bar.real{stroke:var(--real)}svg .dot.real{fill:var(--card);stroke:var(--real)}
.hold{position:sticky;top:0;z-index:1;background:var(--paper);padding:.5rem 0;border-bottom:1px solid var(--line);
  display:flex;gap:.5rem;align-items:center;font-size:.92rem}
.hold input{width:1.15rem;height:1.15rem;margin:0;accent-color:var(--made)}
.item{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem .9rem .6rem;margin:.9rem 0}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(46%,150px),1fr));gap:.7rem}
.row figure{margin:0;min-width:0;max-width:270px}
.row img{width:100%;height:auto;border-radius:4px;background:var(--faint);border:2px solid transparent}
.row .given img{border-color:var(--real)}.row .condition img{border:2px dashed var(--soft)}
.row figcaption{font-size:.84rem;line-height:1.35;margin-top:.15rem;overflow-wrap:anywhere}
.row figcaption small{display:block;color:var(--soft);font-size:.78rem}
.still{display:none}
@media (prefers-reduced-motion:reduce){.moving{display:none}.still{display:block}.hold{display:none}}
body:has(#hold:checked) .moving{display:none}body:has(#hold:checked) .still{display:block}
details{margin:.8rem 0;max-width:100%}summary{cursor:pointer;font-weight:600}
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.25rem 1rem;font-size:.9rem}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}footer{margin-top:4rem;color:var(--soft);font-size:.88rem}
@media (max-width:520px){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}.row{gap:.5rem}}
@media print{.hold{display:none}.moving{display:none}.still{display:block}.item,figure{break-inside:avoid}}
"""
