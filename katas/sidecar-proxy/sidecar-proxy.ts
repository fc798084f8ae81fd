/** Who a workload is, as the control plane hands it out and renews it; all in PEM. */
export interface Identity {
  /** Its certificate, with its SPIFFE id as the one URI among the subject alternative names. */
  readonly certPem: string;
  readonly keyPem: string;
  /** Whom it trusts: the CA of the mesh; two, one after the other, while the CA is being replaced. */
  readonly caPem: string;
}

/** One version of a service. */
export interface Target {
  /** Its share of the requests, measured against the sum of the route's weights; 0 or more, not all 0. */
  readonly weight: number;
  /** Who has to answer there. */
  readonly spiffeId: string;
  /** Its endpoints: the inbound ports of its sidecars, on 127.0.0.1; one or more, all different. */
  readonly ports: readonly number[];
}

export interface Route {
  /** How long a caller waits for the head of the response, all tries together, in milliseconds; above 0. */
  readonly timeoutMs: number;
  /** How many tries may follow the first; whole number, 0 or more. */
  readonly retries: number;
  readonly targets: readonly Target[];
}

/** What the control plane can change at any time. */
export interface MeshConfig {
  readonly identity: Identity;
  /** The SPIFFE ids that may call the own service. */
  readonly allow: readonly string[];
  /** Where requests go, by the name of the host they ask for, in lower case and without a port. */
  readonly routes: Readonly<Record<string, Route>>;
}

/** When an endpoint is ejected, and how it comes back. */
export interface EjectionOptions {
  /** After so many failures in a row; whole number, 1 or more. */
  readonly failures: number;
  /** The path that an ejected endpoint is asked for. */
  readonly checkPath: string;
  /** How long until the first check, and from the end of one check to the next, in milliseconds; above 0. */
  readonly checkEveryMs: number;
  /** How long one check may take, in milliseconds; above 0. */
  readonly checkTimeoutMs: number;
}

export interface SidecarOptions extends MeshConfig {
  /** Where the own service listens: plain HTTP on 127.0.0.1. */
  readonly appPort: number;
  readonly ejection: EjectionOptions;
  /** From 0 to below 1; drawn once for each request that goes out; @default Math.random */
  readonly random?: () => number;
}

export interface Sidecar {
  /** Other sidecars connect here, with mutual TLS; on 127.0.0.1. */
  readonly inboundPort: number;
  /** The own service sends its requests here, as plain HTTP; on 127.0.0.1. */
  readonly outboundPort: number;
  /** Puts what is given in the place of what was there. */
  update(change: Partial<MeshConfig>): void;
  /**
   * Lets what is running end, then closes everything; resolves when that is done. Called once.
   *
   * @param graceMs what is still running after so many milliseconds is cut; 0 or more
   */
  drain(graceMs: number): Promise<void>;
}

/** A sidecar proxy, as in a service mesh: the service beside it speaks plain HTTP, and knows nothing of the mesh. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  throw new Error(
    'TODO: let in who may come in, take out what goes out, and let the service know nothing of it',
  );
}
