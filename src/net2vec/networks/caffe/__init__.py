"""Caffe's networks: a `deploy.prototxt` and its `.caffemodel`, without Caffe."""
