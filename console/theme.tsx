/** Light, dark, or as the system has it; what was chosen is kept in this browser. */
import { useState } from 'preact/hooks';
import { Icon } from './components/icon.tsx';

type Theme = 'light' | 'dark';
const KEY = 'holt.theme';

function shownNow(): Theme {
  const { theme } = document.documentElement.dataset;
  if (theme === 'light' || theme === 'dark') return theme;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

const system = (): Theme => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

export function ThemeSwitch() {
  const [theme, setTheme] = useState(shownNow);
  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  const change = () => {
    // Back at what the system has, it is followed again.
    if (other === system()) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = other;
    try {
      if (other === system()) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, other);
    } catch {
      // It holds until the page is closed.
    }
    setTheme(other);
    dispatchEvent(new Event('holt:theme'));
  };
  return (
    <button type="button" class="menu-link theme-switch" onClick={change}>
      <Icon name={other === 'dark' ? 'moon' : 'sun'} />
      {other === 'dark' ? 'Dark theme' : 'Light theme'}
    </button>
  );
}
