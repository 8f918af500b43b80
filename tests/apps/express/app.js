// SPDX-License-Identifier: ISC
// An Express application with method-override in all the ways that its manual
// shows. It says which method it ran on which resource, and runs nothing.
'use strict'

const express = require('express')
const methodOverride = require('method-override')
const multer = require('multer')

const [host, port] = process.argv[2].split(':')
const app = express()

function ran (resource) {
  return (req, res) => res.set('Ran', `${req.method} ${resource}`).end()
}

app.set('query parser', 'extended')
app.use((req, res, next) => {
  console.log(`seen ${req.method} ${req.url}`)
  next()
})
app.use(methodOverride('X-HTTP-Method'))
app.use(methodOverride('X-HTTP-Method-Override'))
app.use(methodOverride('X-Method-Override'))
app.use(methodOverride('_method'))
app.use(express.urlencoded({ extended: true }))
app.use(express.json())
app.use(multer().none())
app.use(methodOverride((req) => {
  if (req.body && typeof req.body === 'object' && '_method' in req.body) {
    return req.body._method
  }
}))
app.all('/notes{/:id}', ran('notes'))
app.use(ran('other'))
app.listen(Number(port), host)
