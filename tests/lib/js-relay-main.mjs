// The process of js-relay.mjs: a circuit relay on a free WebSocket port with the library's own limits.

// js-libp2p needs this function of Node 22; on Node 20 it is four lines.
Promise.withResolvers ??= function () {
  /** @type {any} */
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const [{ circuitRelayServer }, { identify }, { noise }, { webSockets }, { yamux }, { createLibp2p }] =
  await Promise.all([
    import('@libp2p/circuit-relay-v2'),
    import('@libp2p/identify'),
    import('@libp2p/noise'),
    import('@libp2p/websockets'),
    import('@libp2p/yamux'),
    import('libp2p'),
  ])

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    relay: circuitRelayServer({ reservations: { maxReservations: 1024 } }),
  },
})
console.log(`ready ${node.getMultiaddrs()[0]}`)
process.once('SIGTERM', async () => {
  await node.stop()
  process.exit(0)
})
