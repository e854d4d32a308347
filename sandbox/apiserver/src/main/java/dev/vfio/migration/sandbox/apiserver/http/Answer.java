package dev.vfio.migration.sandbox.apiserver.http;

/** What a request is answered by: a whole body, or a body that is written piece by piece. */
public sealed interface Answer permits Reply, StreamedReply {}
