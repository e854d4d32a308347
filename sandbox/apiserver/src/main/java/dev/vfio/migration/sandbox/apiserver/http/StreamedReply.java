package dev.vfio.migration.sandbox.apiserver.http;

import java.util.function.Consumer;

/**
 * An answer with code 200 and a JSON body that is written piece by piece.
 *
 * @param start is given the body once, on the request's thread; it keeps it and returns
 */
public record StreamedReply(Consumer<ResponseStream> start) implements Answer {}
