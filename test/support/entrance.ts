/** An entrance where nobody has to prove anything, as it is in a container without `AUTH_MODE`. */
import { createOpenAuthenticator } from '../../src/identity/authenticator.ts';
import { createEntrance } from '../../src/identity/entrance.ts';

export const openEntrance = createEntrance({ authenticator: createOpenAuthenticator() });
