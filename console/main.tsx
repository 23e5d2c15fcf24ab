import { render } from 'preact';
import './styles/base.css';
import './styles/components.css';
import './styles/pages.css';
import './styles/records.css';
import './styles/trace.css';
import { App } from './app.tsx';
import { askSession } from './session/session.ts';

const root = document.querySelector('#root');
if (root === null) throw new Error('index.html has no #root');
void askSession();
render(<App />, root);
